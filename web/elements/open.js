// The opening of an item, from the bell or a toast.

import { target } from "./dom.js";

/**
 * @typedef {import("../client/types.js").Item} Item
 * @typedef {import("./globals.js").OpenItemEvent} OpenItemEvent
 */

/**
 * Dispatches `tidings-open-item` to the page. Unless the page prevents the default, the item's `actionUrl` is followed: on this origin in
 * this tab, elsewhere in a new one. Answers whether the page left it to the element.
 * @param {Element} element
 * @param {Item} item
 */
export function openItem(element, item) {
  const url = target(item.actionUrl);
  /** @type {OpenItemEvent} */
  const opening = new CustomEvent("tidings-open-item", { detail: { item, url: url?.href ?? null }, bubbles: true, composed: true, cancelable: true });
  const isLeft = element.dispatchEvent(opening);
  if (!isLeft || !url) return isLeft;
  if (url.origin === location.origin) location.assign(url);
  else open(url, "_blank", "noopener");
  return true;
}
