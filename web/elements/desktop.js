// Notifications of the browser, for important items while the page is hidden.

import { setWish, wished } from "./device.js";
import { imageSource } from "./dom.js";
import { fill } from "./texts.js";
import { claim, isAnySeen } from "./toasts/claims.js";

/** @typedef {import("../client/types.js").Item} Item */

/** It is `denied` if it cannot be asked for. @returns {NotificationPermission} */
export const permission = () => ("Notification" in globalThis ? Notification.permission : "denied");

/** Asks for the browser's permission; only to be called by a click. */
export async function askPermission() {
  const answer = await Notification.requestPermission();
  if (answer === "granted") setWish("desktop", "on");
  return answer;
}

export class Desktop {
  /** @type {Map<string, Notification>} */
  #shown = new Map();
  #doing;
  #words;
  #language;

  /**
   * @param {{open: (item: Item) => void, ask: () => void, placeOf: (item: Item) => string}} doing `ask` asks whether to ask
   * @param {ReturnType<typeof import("./texts.js").texts<"toasts">>} words
   * @param {string} language
   */
  constructor(doing, words, language) {
    this.#doing = doing;
    this.#words = words;
    this.#language = language;
  }

  /** Shows new important items, once over all tabs. @param {Item[]} items */
  async offer(items) {
    const important = items.filter(isImportant);
    if (important.length === 0 || permission() === "denied" || wished("desktop") === "off") return;
    if (permission() === "default") return this.#doing.ask();
    if (await isAnySeen()) return;
    const claims = await Promise.all(important.map((item) => claim(`tidings.desktop ${this.#doing.placeOf(item)}`)));
    const mine = important.filter((_, at) => claims[at]);
    if (mine.length === 1) this.#show(mine[0].id, mine[0].title, mine[0].message ?? "", mine);
    else if (mine.length > 1) this.#show("tidings", fill(this.#words.missed, { n: mine.length }, this.#language), titles(mine), mine);
  }

  /** @param {readonly string[]} ids of items that need not be shown any more */
  close(ids) {
    for (const id of ids) this.#shown.get(id)?.close();
  }

  end() {
    for (const notification of this.#shown.values()) notification.close();
  }

  /** @param {string} tag @param {string} title @param {string} body @param {Item[]} items */
  #show(tag, title, body, items) {
    const isCritical = items.some(({ priority }) => priority === "critical");
    const image = items.length === 1 ? imageSource(items[0].imageUrl) : null;
    // Not every browser shows a large image; all show an icon.
    const images = image ? { icon: image, image } : {};
    const notification = make(title, { tag, body, lang: this.#language, requireInteraction: isCritical, ...images });
    if (!notification) return;
    for (const { id } of items) this.#shown.set(id, notification);
    notification.onclose = () => {
      for (const { id } of items) if (this.#shown.get(id) === notification) this.#shown.delete(id);
    };
    notification.onclick = () => {
      focus();
      notification.close();
      if (items.length === 1) this.#doing.open(items[0]);
    };
  }
}

/** @param {Item} item */
const isImportant = ({ priority, channels }) => ["high", "critical"].includes(priority) && channels.includes("browser");

/** @param {Item[]} items */
const titles = (items) => items.slice(0, 3).map(({ title }) => title).join("\n");

/** Some browsers have notifications only for pages with a service worker. @param {string} title @param {NotificationOptions} options */
function make(title, options) {
  try {
    return new Notification(title, options);
  } catch {
    return null;
  }
}
