// The choices for this browser alone.

import { askPermission, permission } from "../desktop.js";
import { setWish, wished } from "../device.js";
import { h } from "../dom.js";
import { isLoud } from "../sound.js";

/** @typedef {import("../settings.js").Words} Words */

export class Browser {
  #words;
  #sound = h("input", { type: "checkbox", part: "checkbox" });
  #desktop = h("input", { type: "checkbox", part: "checkbox", "aria-describedby": "desktop-hint" });
  #hint = h("span", { class: "hint", id: "desktop-hint" });

  /** @param {Words} words */
  constructor(words) {
    this.#words = words;
    const { title, sound, soundHint, desktop } = words.browser;
    this.#sound.addEventListener("change", () => setWish("sound", this.#sound.checked ? "on" : "off"));
    this.#desktop.addEventListener("change", () => this.#switchDesktop(this.#desktop.checked));
    this.element = h(
      "section",
      { part: "section", "aria-labelledby": "browser" },
      h("h2", { id: "browser" }, title),
      h("label", { class: "switch" }, this.#sound, h("span", {}, sound, h("span", { class: "hint" }, soundHint))),
      h("label", { class: "switch" }, this.#desktop, h("span", {}, desktop, this.#hint)),
    );
    this.update();
  }

  update() {
    const { desktopHint, blocked, unsupported } = this.#words.browser;
    const allowed = permission();
    this.#sound.checked = isLoud();
    this.#desktop.checked = allowed === "granted" && wished("desktop") !== "off";
    this.#desktop.disabled = allowed === "denied";
    this.#hint.textContent = allowed !== "denied" ? desktopHint : "Notification" in globalThis && isSecureContext ? blocked : unsupported;
  }

  /** @param {boolean} on */
  async #switchDesktop(on) {
    if (on && permission() === "default") await askPermission();
    else setWish("desktop", on ? "on" : "off");
    this.update();
  }
}
