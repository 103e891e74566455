// The words of the settings in one language, with names for what has none, and times.

import { texts } from "../texts.js";

/** @param {string} language */
export function wordsOf(language) {
  const words = texts("settings", language);
  /** @type {any} */
  const { categories = {} } = texts("bell", language);
  /** @type {Record<string, string>} */
  const kinds = words.kinds;
  const format = new Intl.DateTimeFormat(language, { weekday: "short", day: "numeric", month: "short", hour: "numeric", minute: "numeric" });
  return {
    ...words,
    language,
    category: (/** @type {string} */ name) => categories[name] ?? spaced(name),
    kind: (/** @type {string} */ name) => kinds[name] ?? spaced(name),
    time: (/** @type {string} */ at) => format.format(new Date(at)),
  };
}

/** "missedCalls", "missed_calls" and "missed:calls" as "Missed calls". @param {string} name */
function spaced(name) {
  const words = name.replace(/[_:.-]+/g, " ").replace(/(?<=[a-z])(?=[A-Z])/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1).toLowerCase();
}
