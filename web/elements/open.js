// What happens when an item is opened, wherever that was clicked.

import { target } from "./dom.js";

/**
 * @typedef {import("../client/types.js").Item} Item
 * @typedef {import("./globals.js").OpenItemEvent} OpenItemEvent
 */

/**
 * Tells the page that an item is opened. Unless it says that it does so itself, the item's `actionUrl` is followed: on this origin in
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
