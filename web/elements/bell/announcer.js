// What is said aloud, to those who do not see it. What comes together is said as one.

import { h } from "../dom.js";

/** What arrives within this time is told by its number. */
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
   * What is added is read, once what came before it was: so that stays for a while, and the same words once more are news as well.
   * @param {HTMLElement} region @param {string} text
   */
  #say(region, text) {
    region.append(h("p", {}, text));
    if (region.children.length > SAID_AT_MOST) region.firstElementChild?.remove();
  }
}
