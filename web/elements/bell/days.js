// Items by day.

/** @typedef {import("../../client/types.js").Item} Item */

/**
 * The items of each day, newest first, each under the instant that names the day. An item that came back is above newer ones:
 * it belongs to the day on which it came back, so never to an earlier day than the items below it.
 * @param {readonly Item[]} items newest arrival first
 * @param {import("../locale.js").Locale} locale
 * @returns {{day: number, at: number, items: Item[]}[]}
 */
export function byDay(items, locale) {
  /** @type {{day: number, at: number, items: Item[]}[]} */
  const days = [];
  for (const item of items.toReversed()) {
    const at = Date.parse(item.createdAt);
    const last = days.at(-1);
    const day = locale.dayOf(at);
    if (last && day <= last.day) last.items.push(item);
    else days.push({ day, at, items: [item] });
  }
  for (const { items } of days) items.reverse();
  return days.reverse();
}
