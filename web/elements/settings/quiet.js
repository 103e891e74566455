// The hours in which nothing but the inbox is used.

import { h } from "../dom.js";

const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/** A Monday, to name the days by. */
const MONDAY = Date.UTC(2024, 0, 1);
const DAY_MS = 86400000;

/** @typedef {import("../settings.js").Words} Words */
/** @typedef {import("./draft.js").QuietHours} QuietHours */

export class Quiet {
  #words;
  #change;
  /** @type {QuietHours} the proposal for a user without any */
  #hours = { from: "22:00", to: "07:00", timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone };
  #on = h("input", { type: "checkbox", part: "checkbox" });
  #from = h("input", { type: "time", required: true, part: "input" });
  #to = h("input", { type: "time", required: true, part: "input" });
  #zone = h("select", { part: "input" });
  /** @type {HTMLInputElement[]} */
  #days;
  #error = h("p", { class: "error", role: "alert", id: "quiet-error" });
  #fields;

  /** @param {Words} words @param {(patch: any) => void} change */
  constructor(words, change) {
    this.#words = words;
    this.#change = change;
    const { quiet } = words;
    const label = new Intl.DateTimeFormat(words.language, { weekday: "short", timeZone: "UTC" });
    const long = new Intl.DateTimeFormat(words.language, { weekday: "long", timeZone: "UTC" });
    this.#days = DAYS.map((day, at) => h("input", { type: "checkbox", value: day, "aria-label": long.format(MONDAY + at * DAY_MS) }));
    const days = this.#days.map((box, at) => h("label", { class: "day", part: "day" }, box, h("span", { "aria-hidden": "true" }, label.format(MONDAY + at * DAY_MS))));
    const zones = new Set(["UTC", this.#hours.timeZone, ...Intl.supportedValuesOf("timeZone")]);
    this.#zone.append(...[...zones].sort().map((name) => option(name)));
    this.#fields = h(
      "div",
      { class: "fields", hidden: true, on: { change: () => this.#save() } },
      h("label", {}, quiet.from, this.#from),
      h("label", {}, quiet.to, this.#to),
      h("label", { class: "wide" }, quiet.zone, this.#zone),
      h("fieldset", {}, h("legend", {}, quiet.days), h("div", { class: "days" }, ...days)),
    );
    this.#on.addEventListener("change", () => {
      this.#error.textContent = "";
      change({ quietHours: this.#on.checked ? this.#hours : null });
    });
    this.element = h(
      "section",
      { part: "section", "aria-labelledby": "quiet" },
      h("h2", { id: "quiet" }, quiet.title),
      h("label", { class: "switch" }, this.#on, h("span", {}, quiet.on, h("span", { class: "hint" }, quiet.hint))),
      this.#fields,
      this.#error,
    );
  }

  /** @param {import("./draft.js").Document} document */
  update({ quietHours }) {
    this.#on.checked = quietHours !== undefined;
    this.#fields.hidden = quietHours === undefined;
    if (!quietHours) return;
    // A value that the user is correcting is not overwritten.
    if (this.#error.textContent) return;
    this.#hours = quietHours;
    const { from, to, timeZone, days } = quietHours;
    this.#from.value = from;
    this.#to.value = to;
    if (![...this.#zone.options].some(({ value }) => value === timeZone)) this.#zone.append(option(timeZone));
    this.#zone.value = timeZone;
    for (const box of this.#days) box.checked = days?.includes(box.value) ?? true;
  }

  #save() {
    const days = this.#days.filter(({ checked }) => checked).map(({ value }) => value);
    const [from, to] = [this.#from.value, this.#to.value];
    this.#error.textContent = this.#wrong(from, to, days);
    if (this.#error.textContent) return;
    this.#change({ quietHours: { from, to, timeZone: this.#zone.value, days: days.length === DAYS.length ? null : days } });
  }

  /** @param {string} from @param {string} to @param {string[]} days */
  #wrong(from, to, days) {
    const { quiet } = this.#words;
    if (!from || !to) return quiet.incomplete;
    if (from === to) return quiet.empty;
    return days.length === 0 ? quiet.noDay : "";
  }
}

/** @param {string} name */
const option = (name) => h("option", { value: name }, name.replaceAll("_", " "));
