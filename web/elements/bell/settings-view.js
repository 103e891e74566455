// The settings instead of the list, with a way back. Their code is loaded when they are opened.

import { h } from "../dom.js";
import { icon } from "../icons.js";

export class SettingsView {
  #locale;
  #place = h("div", { class: "scroller settings", part: "settings", tabIndex: -1 });
  /** @type {(HTMLElement & {client?: any}) | null} */
  #settings = null;
  /** @type {import("../../client/index.js").Client | null} */
  #client = null;

  /** @param {import("../locale.js").Locale} locale @param {() => void} back */
  constructor(locale, back) {
    this.#locale = locale;
    const { words } = locale;
    this.back = h("button", { class: "tool", type: "button", title: words.back, "aria-label": words.back, on: { click: back } }, icon("back"));
    const head = h("div", { class: "head settings-head", part: "header" }, this.back, h("h2", {}, words.settings));
    this.element = h("div", { class: "view", hidden: true }, head, this.#place);
  }

  /** @param {import("../../client/index.js").Client | null} client */
  use(client) {
    this.#client = client;
    if (this.#settings) this.#settings.client = client;
  }

  async open() {
    this.element.hidden = false;
    this.back.focus();
    if (this.#settings) return;
    try {
      await import("../settings.js");
      const given = { client: this.#client, lang: this.#locale.language };
      this.#settings = Object.assign(document.createElement("tidings-settings"), given);
      this.#place.replaceChildren(this.#settings);
    } catch {
      this.#place.replaceChildren(h("p", { class: "notable", role: "alert" }, this.#locale.words.settingsFailed));
    }
  }

  close() {
    this.element.hidden = true;
  }
}
