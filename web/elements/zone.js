// The calendar and the clock on the wall of a time zone. No words, no formats.

/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();

/** @param {string} timeZone */
function formatOf(timeZone) {
  let format = formats.get(timeZone);
  if (!format) {
    const digits = /** @type {const} */ ({ year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" });
    format = new Intl.DateTimeFormat("en-US", { timeZone, hourCycle: "h23", calendar: "gregory", ...digits });
    formats.set(timeZone, format);
  }
  return format;
}

/**
 * The time that the clock shows at an instant, as if that were UTC.
 * @param {number} instant @param {string} timeZone
 */
export function wall(instant, timeZone) {
  /** @type {Record<string, number>} */
  const at = {};
  for (const { type, value } of formatOf(timeZone).formatToParts(instant)) at[type] = Number(value);
  return Date.UTC(at.year, at.month - 1, at.day, at.hour, at.minute, at.second);
}

/**
 * The instant at which the clock shows this. Twice, for the first guess may lie on the other side of a change of the clocks.
 * @param {number} shown as `wall` answers it @param {string} timeZone
 */
export function instant(shown, timeZone) {
  let guess = shown;
  for (let round = 0; round < 2; round++) guess += shown - wall(guess, timeZone);
  return guess;
}

const DAY_MS = 86400000;

/** The day of an instant, counted from 1970. @param {number} at @param {string} timeZone */
export const dayOf = (at, timeZone) => Math.floor(wall(at, timeZone) / DAY_MS);

/** The instant of an hour of a day. @param {number} day @param {number} hour @param {string} timeZone */
export const hourOf = (day, hour, timeZone) => instant(day * DAY_MS + hour * 3600000, timeZone);

/** The day of the week, Sunday being 0. @param {number} day */
export const weekday = (day) => new Date(day * DAY_MS).getUTCDay();
