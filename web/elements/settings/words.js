// The words of the settings in one language, with names for channels and kinds without one, and times.

import { Locale } from "../locale.js";
import { explain } from "../problems.js";
import { texts } from "../texts.js";

/** @param {string} language @param {{now: () => number}} clock the server's */
export function wordsOf(language, clock) {
  const words = texts("settings", language);
  const locale = new Locale(language, null);
  /** @type {Record<string, string>} */
  const kinds = words.kinds;
  return {
    ...words,
    language: locale.language,
    category: (/** @type {string} */ name) => locale.category(name),
    kind: (/** @type {string} */ name) => kinds[name] ?? spaced(name),
    now: () => clock.now(),
    time: (/** @type {string} */ at) => locale.upcoming(Date.parse(at), clock.now()),
    explain: (/** @type {import("../../client/types.js").Problem} */ problem) => explain(problem, locale),
  };
}

/** "order_shipped" and "order:shipped" as "Order shipped". @param {string} name */
function spaced(name) {
  const words = name.replace(/[_:.-]+/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
