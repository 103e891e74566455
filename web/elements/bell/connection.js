// How the connection does, at the foot of the list.

import { h } from "../dom.js";
import { setAttribute, setText } from "./keyed.js";

/** @typedef {import("../../client/types.js").State} State */

export class ConnectionLine {
  #locale;
  /** @type {number | null} */
  #retryAt = null;
  /** The same by `performance.now`: the computer's clock may be set while it waits. */
  #due = 0;

  /** @param {import("../locale.js").Locale} locale @param {() => void} reconnect */
  constructor(locale, reconnect) {
    this.#locale = locale;
    this.text = h("span", {});
    this.wait = h("span", { class: "wait" });
    this.button = h("button", { class: "link", type: "button", on: { click: reconnect } });
    this.element = h("p", { class: "connection", part: "connection" }, h("i", { class: "lamp" }), this.text, this.wait, this.button);
  }

  /** @param {State} state */
  update({ connection, retryAt }) {
    const { words } = this.#locale;
    const at = connection === "offline" ? retryAt : null;
    if (at !== null && at !== this.#retryAt) this.#due = performance.now() + at - Date.now();
    this.#retryAt = at;
    setAttribute(this.element, "data-connection", connection);
    setText(this.text, words[connection]);
    this.button.hidden = connection !== "offline" && connection !== "expired";
    setText(this.button, connection === "expired" ? words.reconnect : words.retryNow);
    this.tick();
  }

  /** The next try is a wait of this computer, so the server's time does not count. */
  tick() {
    const { words } = this.#locale;
    this.wait.hidden = this.#retryAt === null;
    if (this.#retryAt === null) return;
    const seconds = Math.ceil((this.#due - performance.now()) / 1000);
    setText(this.wait, seconds > 0 ? this.#locale.fill(words.retryIn, { n: seconds }) : words.retrying);
  }
}
