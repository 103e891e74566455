// Everything but the inbox held back, for a while or until further notice.

import { h } from "../dom.js";
import { fill } from "../texts.js";

const HOUR_MS = 3600000;
/** The longest that a timer can wait. */
const TIMER_MS = 2 ** 31 - 1;
const MORNING = 8;

/** @typedef {import("../settings.js").Words} Words */

export class Pause {
  #words;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #state = h("p", { class: "hint", id: "pause-state" });
  #resume;
  #choices;

  /** @param {Words} words @param {(patch: any) => void} change */
  constructor(words, change) {
    this.#words = words;
    /** @param {string} label @param {() => string | null} until */
    const button = (label, until) =>
      h("button", { type: "button", class: "plain", part: "button", on: { click: () => change({ muteUntil: until() }) } }, label);
    const { hour, tomorrow, forever, resume, title } = words.pause;
    this.#choices = h(
      "div",
      { class: "actions", role: "group", "aria-labelledby": "pause", "aria-describedby": "pause-state" },
      button(hour, () => new Date(words.now() + HOUR_MS).toISOString()),
      button(tomorrow, () => nextMorning(words.now()).toISOString()),
      button(forever, () => "forever"),
    );
    this.#resume = button(resume, () => null);
    this.#resume.classList.replace("plain", "main");
    const row = h("div", { class: "actions" }, this.#resume);
    this.element = h("section", { part: "section", "aria-labelledby": "pause" }, h("h2", { id: "pause" }, title), this.#state, this.#choices, row);
  }

  /** @param {import("./draft.js").Document} document */
  update({ muteUntil = "" }) {
    this.#show(muteUntil);
  }

  /** @param {string} muteUntil */
  #show(muteUntil) {
    clearTimeout(this.#timer);
    const left = muteUntil === "forever" ? Infinity : Date.parse(muteUntil) - this.#words.now();
    const isPaused = left > 0;
    const root = /** @type {ShadowRoot | Document} */ (this.element.getRootNode());
    const hadFocus = this.element.contains(root.activeElement);
    this.#state.textContent = isPaused ? this.#until(muteUntil) : this.#words.pause.hint;
    this.#choices.hidden = isPaused;
    this.#resume.hidden = !isPaused;
    // The button that was pressed has gone: its replacement gets the focus.
    if (hadFocus && !this.element.contains(root.activeElement)) this.focus();
    if (isPaused && left !== Infinity) this.#timer = setTimeout(() => this.#show(muteUntil), Math.min(left, TIMER_MS));
  }

  focus() {
    (this.#resume.hidden ? /** @type {HTMLElement} */ (this.#choices.firstElementChild) : this.#resume).focus();
  }

  end() {
    clearTimeout(this.#timer);
  }

  /** @param {string} muteUntil */
  #until(muteUntil) {
    const { pause, time } = this.#words;
    return muteUntil === "forever" ? pause.isForever : fill(pause.until, { time: time(muteUntil) });
  }
}

/** @param {number} now */
function nextMorning(now) {
  const at = new Date(now);
  at.setDate(at.getDate() + 1);
  at.setHours(MORNING, 0, 0, 0);
  return at;
}
