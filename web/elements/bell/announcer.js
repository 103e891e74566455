// Announcements for screen readers. Several at the same time become one.

import { h } from "../dom.js";

/** Arrivals within this time are announced by their number. */
const GATHER_MS = 500;
const SAID_AT_MOST = 3;

/** @typedef {import("../../client/types.js").Item} Item */

export class Announcer {
  #locale;
  /** @type {Item[]} */
  #arrived = [];
  /** @type {number | undefined} */
  #timer;

  /** @param {import("../locale.js").Locale} locale */
  constructor(locale) {
    this.#locale = locale;
    this.polite = h("div", { class: "aside", "aria-live": "polite" });
    this.urgent = h("div", { class: "aside", "aria-live": "assertive" });
  }

  /** @param {Item} item */
  arrived(item) {
    if (item.priority === "critical") return this.caughtUp([item]);
    this.#arrived.push(item);
    this.#timer ??= setTimeout(() => this.#tell(), GATHER_MS);
  }

  /** @param {Item[]} items */
  caughtUp(items) {
    const isUrgent = items.some(({ priority }) => priority === "critical");
    this.#say(isUrgent ? this.urgent : this.polite, this.#describe(items, isUrgent));
  }

  /** @param {string} text */
  say(text) {
    this.#say(this.polite, text);
  }

  close() {
    clearTimeout(this.#timer);
  }

  #tell() {
    this.#timer = undefined;
    this.caughtUp(this.#arrived);
    this.#arrived = [];
  }

  /** @param {Item[]} items @param {boolean} isUrgent */
  #describe(items, isUrgent) {
    const { words } = this.#locale;
    if (items.length > 1) return this.#locale.fill(words.arrivedMany, { n: items.length });
    return this.#locale.fill(isUrgent ? words.arrivedUrgent : words.arrived, { title: items[0].title });
  }

  /**
   * A screen reader reads an added text after the one before, so texts stay for a while. The same words once more are news as well.
   * @param {HTMLElement} region @param {string} text
   */
  #say(region, text) {
    region.append(h("p", {}, text));
    if (region.children.length > SAID_AT_MOST) region.firstElementChild?.remove();
  }
}
