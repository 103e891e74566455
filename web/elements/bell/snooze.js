// The menu that asks until when.

import { h } from "../dom.js";
import { dayOf, hourOf, instant, wall, weekday } from "../zone.js";

const HOUR_MS = 3600000;
const [MORNING, EVENING] = [8, 18];

/**
 * The offers at this time of day and week.
 * @param {number} now @param {string} timeZone
 * @returns {{name: "snoozeHour" | "snoozeEvening" | "snoozeTomorrow" | "snoozeWeek", at: number}[]}
 */
export function choices(now, timeZone) {
  const today = dayOf(now, timeZone);
  const monday = today + ((8 - weekday(today)) % 7 || 7);
  const evening = hourOf(today, EVENING, timeZone);
  return [
    { name: "snoozeHour", at: now + HOUR_MS },
    ...(evening - now > HOUR_MS ? [/** @type {const} */ ({ name: "snoozeEvening", at: evening })] : []),
    { name: "snoozeTomorrow", at: hourOf(today + 1, MORNING, timeZone) },
    ...(monday > today + 1 ? [/** @type {const} */ ({ name: "snoozeWeek", at: hourOf(monday, MORNING, timeZone) })] : []),
  ];
}

export class SnoozeMenu {
  #locale;
  #list = h("div", { class: "choices" });
  #field;
  #error;
  /** @type {(until: number) => void} */
  #chosen = () => {};
  #end = 0;
  /** @type {{now: () => number}} */
  #clock = Date;
  /** @type {Element | null} the element that had the focus before */
  #opener = null;

  /** @param {import("../locale.js").Locale} locale */
  constructor(locale) {
    this.#locale = locale;
    const { words } = locale;
    this.#error = h("p", { class: "error", role: "alert", id: "snooze-error" });
    const onInput = () => this.#error.replaceChildren();
    this.#field = h("input", { type: "datetime-local", required: true, "aria-describedby": "snooze-error", on: { input: onInput } });
    const submit = (/** @type {Event} */ event) => this.#other(event);
    const label = h("label", {}, words.snoozeOther, this.#field);
    const form = h("form", { noValidate: true, on: { submit } }, label, h("button", { class: "button primary", type: "submit" }, words.snooze), this.#error);
    const onKey = (/** @type {KeyboardEvent} */ event) => this.#key(event);
    const on = { keydown: onKey, beforetoggle: (/** @type {ToggleEvent} */ { newState }) => newState === "closed" && this.#giveBack() };
    const role = { role: "dialog", "aria-label": words.snooze };
    this.element = h("div", { class: "menu", part: "snooze", popover: "auto", ...role, on }, this.#list, form);
  }

  /**
   * @param {Element} anchor the element beside it
   * @param {{now: () => number}} clock the server's
   * @param {number} end by when there is nothing to snooze any more
   * @param {(until: number) => void} chosen
   */
  ask(anchor, clock, end, chosen) {
    this.#chosen = chosen;
    this.#end = end;
    this.#clock = clock;
    const now = clock.now();
    const { words, timeZone } = this.#locale;
    const buttons = choices(now, timeZone).filter(({ at }) => at < end).map(({ name, at }) => {
      const when = h("span", { class: "when" }, this.#locale.upcoming(at, now));
      return h("button", { type: "button", class: "choice", on: { click: () => this.#choose(at) } }, words[name], when);
    });
    this.#list.replaceChildren(...buttons);
    this.#field.value = "";
    this.#field.min = new Date(wall(now, timeZone)).toISOString().slice(0, 16);
    this.#error.replaceChildren();
    this.#opener = this.#focused();
    this.element.showPopover();
    place(this.element, anchor);
    (buttons[0] ?? this.#field).focus();
  }

  /** The focus, which browsers do not give back from one popover to another. */
  #giveBack() {
    if (this.element.contains(this.#focused()) && this.#opener instanceof HTMLElement) this.#opener.focus({ preventScroll: true });
  }

  #focused() {
    return /** @type {ShadowRoot} */ (this.element.getRootNode()).activeElement;
  }

  /** @param {number} until */
  #choose(until) {
    this.element.hidePopover();
    this.#chosen(until);
  }

  /** @param {Event} event */
  #other(event) {
    event.preventDefault();
    const until = this.#field.value ? instant(Date.parse(`${this.#field.value}Z`), this.#locale.timeZone) : 0;
    if (until > this.#clock.now() && until < this.#end) return this.#choose(until);
    const { words } = this.#locale;
    this.#error.replaceChildren(until < this.#end ? words.snoozePast : words.snoozeLate);
    this.#field.focus();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const at = [...this.#list.children].indexOf(/** @type {Element} */ (event.target));
    if (!step || at < 0) return;
    event.preventDefault();
    const next = this.#list.children[at + step] ?? (step > 0 ? this.#field : null);
    if (next instanceof HTMLElement) next.focus();
  }
}

/** Below its anchor, or above it where there is no room, with its end at the anchor's. @param {HTMLElement} menu @param {Element} anchor */
function place(menu, anchor) {
  const [at, size] = [anchor.getBoundingClientRect(), menu.getBoundingClientRect()];
  const fits = at.bottom + size.height + 8 < innerHeight;
  const top = fits ? at.bottom + 4 : at.top - size.height - 4;
  menu.style.top = `${Math.max(8, Math.min(top, innerHeight - size.height - 8))}px`;
  menu.style.left = `${Math.max(8, Math.min(at.right, innerWidth - 8) - size.width)}px`;
}
