// A language and a time zone: words, and times as people say them.

import { fill, texts } from "./texts.js";
import { dayOf } from "./zone.js";

const MINUTE_MS = 60000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** @typedef {import("../client/types.js").Item} Item */

export class Locale {
  /** @type {Map<string, Intl.NumberFormat>} */
  #units = new Map();

  /** @param {string} language @param {string | null} timeZone the browser's when null; an unknown value counts as absent */
  constructor(language, timeZone) {
    this.language = known(() => new Intl.Locale(language).baseName) ?? "en";
    this.timeZone = zoneNamed(timeZone ?? undefined) ?? zoneNamed(undefined) ?? "UTC";
    this.words = texts("bell", this.language);
    this.#ago = new Intl.RelativeTimeFormat(this.language, { style: "short", numeric: "always" });
    this.#date = this.#format({ day: "numeric", month: "short" });
    this.#dateOfYear = this.#format({ day: "numeric", month: "short", year: "numeric" });
    this.#day = this.#format({ weekday: "long", day: "numeric", month: "long" });
    this.#dayOfYear = this.#format({ day: "numeric", month: "long", year: "numeric" });
    this.#full = this.#format({ dateStyle: "full", timeStyle: "short" });
    this.#short = this.#format({ weekday: "short", hour: "numeric", minute: "numeric" });
    this.#shortDate = this.#format({ day: "numeric", month: "short", hour: "numeric", minute: "numeric" });
  }

  #ago;
  #date;
  #dateOfYear;
  #day;
  #dayOfYear;
  #full;
  #short;
  #shortDate;

  /** @param {Intl.DateTimeFormatOptions} options */
  #format(options) {
    return new Intl.DateTimeFormat(this.language, { timeZone: this.timeZone, ...options });
  }

  /** @param {string | Record<string, string>} text @param {Record<string, string | number>} values */
  fill(text, values) {
    return fill(text, values, this.language);
  }

  /** @param {number} at */
  dayOf(at) {
    return dayOf(at, this.timeZone);
  }

  /** How long ago, or, after a week, on which day. @param {number} at @param {number} now */
  ago(at, now) {
    const past = now - at;
    if (past < MINUTE_MS) return this.words.now;
    if (past < HOUR_MS) return this.#ago.format(-Math.floor(past / MINUTE_MS), "minute");
    if (past < DAY_MS) return this.#ago.format(-Math.floor(past / HOUR_MS), "hour");
    if (past < 7 * DAY_MS) return this.#ago.format(-Math.floor(past / DAY_MS), "day");
    return (past < 300 * DAY_MS ? this.#date : this.#dateOfYear).format(at);
  }

  /** A length of time in its largest unit, as short as can be. @param {number} ms at least a minute */
  span(ms) {
    if (ms < HOUR_MS) return this.#unit(ms / MINUTE_MS, "minute");
    if (ms < 2 * DAY_MS) return this.#unit(ms / HOUR_MS, "hour");
    return this.#unit(ms / DAY_MS, "day");
  }

  /** The heading of the items of a day. @param {number} at @param {number} now */
  heading(at, now) {
    const days = this.dayOf(now) - this.dayOf(at);
    if (days <= 0) return this.words.today;
    if (days === 1) return this.words.yesterday;
    return (days < 300 ? this.#day : this.#dayOfYear).format(at);
  }

  /** @param {number} at */
  full(at) {
    return this.#full.format(at);
  }

  /** A time to come. @param {number} at @param {number} now */
  upcoming(at, now) {
    return (at - now < 6 * DAY_MS ? this.#short : this.#shortDate).format(at);
  }

  /** A category by its name, also one that has no translation. @param {string} category */
  category(category) {
    const name = /** @type {Record<string, string>} */ (this.words.categories)[category];
    return name ?? spaced(category);
  }

  /** @param {number} count @param {string} unit */
  #unit(count, unit) {
    const format = this.#units.get(unit) ?? new Intl.NumberFormat(this.language, { style: "unit", unit, unitDisplay: "narrow" });
    this.#units.set(unit, format);
    return format.format(Math.floor(count));
  }
}

/** "orderUpdates" and "order_updates" as "Order updates". @param {string} name */
function spaced(name) {
  const words = name.replace(/[_-]+/g, " ").replace(/(?<=[a-z])(?=[A-Z])/g, " ");
  return words.charAt(0).toUpperCase() + words.slice(1).toLowerCase();
}

/** @param {string | undefined} timeZone */
const zoneNamed = (timeZone) => known(() => new Intl.DateTimeFormat("en", { timeZone }).resolvedOptions().timeZone);

/** @template Value @param {() => Value} make @returns {Value | null} null for a value that Intl does not know */
function known(make) {
  try {
    return make();
  } catch {
    return null;
  }
}
