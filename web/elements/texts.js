// The words of the elements, by language. An application adds a language, or alters words, with `addTexts`.

import { de } from "./texts/de.js";
import { en } from "./texts/en.js";

/** @typedef {typeof en} Texts */

/** @type {Map<string, any>} */
const known = new Map([["en", en], ["de", de]]);

/**
 * Adds words in a language; missing words stay as they are, or English.
 * @param {string} language such as `fr` or `pt-BR`
 * @param {{[Group in keyof Texts]?: Partial<Texts[Group]>}} texts
 */
export function addTexts(language, texts) {
  const base = known.get(language) ?? known.get(language.split("-")[0]) ?? en;
  const merged = Object.entries(base).map(([group, words]) => [group, { ...words, .../** @type {any} */ (texts)[group] }]);
  known.set(language, Object.fromEntries(merged));
}

/**
 * The language of an element: its own `lang`, that of its nearest ancestor with one, or the browser's.
 * @param {Element} element
 */
export function languageOf(element) {
  return element.closest("[lang]")?.getAttribute("lang") || navigator.language || "en";
}

/**
 * The words of a group in a language. @template {keyof Texts} Group
 * @param {Group} group
 * @param {string} language
 * @returns {Texts[Group]}
 */
export function texts(group, language) {
  return (known.get(language) ?? known.get(language.split("-")[0]) ?? en)[group];
}

/**
 * Puts values into a text: `fill("{n} new", {n: 3})`. A text with one form for each plural category is an object of them, and `n` decides.
 * @param {string | Record<string, string>} text
 * @param {Record<string, string | number>} values
 * @param {string} [language]
 */
export function fill(text, values, language = "en") {
  const form = typeof text === "string" ? text : (text[new Intl.PluralRules(language).select(Number(values.n))] ?? text.other);
  return form.replace(/\{(\w+)\}/g, (_, name) => isolated(String(values[name] ?? "")));
}

/** What may turn the direction of its neighbours: characters that order it, and letters of scripts that run from right to left. */
const TURNS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;

/**
 * A text of others within a sentence: it turns nothing around it (Unicode Bidirectional Algorithm, 2.4). A character of its own that
 * would end the isolation before its end is left out.
 * @param {string} text
 */
export function isolated(text) {
  if (!TURNS.test(text)) return text;
  let depth = 0;
  const whole = text.replace(/[\u2066-\u2069]/g, (char) => {
    if (char !== "\u2069") depth++;
    else if (depth === 0) return "";
    else depth--;
    return char;
  });
  return `\u2068${whole}${"\u2069".repeat(depth)}\u2069`;
}
