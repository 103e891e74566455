// Why something did not work, in the user's language.

/**
 * @param {import("../client/types.js").Problem} problem
 * @param {import("./locale.js").Locale} locale
 */
export function explain({ status, title }, locale) {
  const { words } = locale;
  const known = { 0: words.unreachable, 401: words.forbidden, 403: words.forbidden, 404: words.gone, 409: words.conflict, 410: words.gone, 429: words.busy, 503: words.busy };
  return locale.fill(words.refused, { reason: known[/** @type {keyof typeof known} */ (status)] ?? title });
}
