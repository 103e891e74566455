// The state of an item that is due.

const MINUTE_MS = 60000;
const OVER = new Set(["acknowledged", "done", "cancelled"]);

/** @typedef {import("../../client/types.js").Item} Item */

/**
 * As the server says it: its clock decides, and other recipients may have settled the item.
 * @param {Item} item
 * @returns {"due" | "overdue" | "over" | null} `over`: a user took care of it; null: it is not due by any time
 */
export function urgency(item) {
  if (!item.dueAt) return null;
  if (item.dueState && OVER.has(item.dueState)) return "over";
  return item.dueState === "overdue" ? "overdue" : "due";
}

/**
 * "Due in 30m", "2h overdue", or its outcome.
 * @param {Item} item @param {number} now @param {import("../locale.js").Locale} locale
 */
export function dueText(item, now, locale) {
  const { words } = locale;
  const by = urgency(item);
  if (by === "over") return outcome(item, locale);
  const left = Date.parse(item.dueAt ?? "") - now;
  const minutes = Math.round((by === "overdue" ? -left : left) / MINUTE_MS);
  // Between its time and the server's word on it nothing is left, and nothing is late.
  if (minutes <= 0) return words.dueNow;
  return locale.fill(by === "overdue" ? words.overdue : words.due, { time: locale.span(minutes * MINUTE_MS) });
}

/** @param {Item} item @param {import("../locale.js").Locale} locale */
function outcome({ dueState, dueBy }, locale) {
  const { words } = locale;
  if (dueState === "cancelled") return words.cancelled;
  const isDone = dueState === "done";
  if (!dueBy) return isDone ? words.done : words.acknowledged;
  return locale.fill(isDone ? words.doneBy : words.acknowledgedBy, { user: dueBy });
}
