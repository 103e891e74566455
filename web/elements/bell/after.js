// The text below the items: more are being loaded, there are none, they could not be loaded, or these are all.

import { h } from "../dom.js";
import { icon } from "../icons.js";
import { isNarrowed } from "./actions.js";

/** @typedef {"loading" | "failed" | "moreFailed" | "more" | "end" | "emptyAll" | "emptyUnread" | "emptyFiltered"} Phase */

export class After {
  #words;
  #retry;
  /** @type {Phase | null} */
  phase = null;

  /** @param {import("../locale.js").Locale} locale @param {() => void} retry */
  constructor({ words }, retry) {
    this.#words = words;
    this.#retry = retry;
    this.element = h("div", { class: "after" });
  }

  /** @param {Phase} phase */
  update(phase) {
    if (phase === this.phase) return;
    this.phase = phase;
    this.element.replaceChildren(this.#show(phase));
  }

  /** @param {Phase} phase */
  #show(phase) {
    const words = this.#words;
    if (phase === "loading") return skeleton(words.loading, 5);
    if (phase === "more") return skeleton(words.loading, 1);
    if (phase === "end") return h("p", { class: "end", part: "end" }, words.end);
    if (phase === "failed" || phase === "moreFailed") {
      const again = h("button", { class: "button", type: "button", on: { click: this.#retry } }, words.retry);
      return h("div", { class: "notable", part: "error" }, icon("alert"), h("p", { class: "title" }, words[phase]), again);
    }
    return h("div", { class: "notable", part: "empty" }, icon("bell"), h("p", { class: "title" }, words[phase]), h("p", {}, words[`${phase}More`]));
  }
}

/**
 * The state below the items.
 * @param {import("../../client/types.js").State} state
 * @param {"failed" | "moreFailed" | null} failure
 * @returns {Phase}
 */
export function phaseOf({ items, loading, hasMore, filter, cursor, connection }, failure) {
  if (failure) return failure;
  // No list has come yet, and none is to be had.
  if (cursor === null && (connection === "offline" || connection === "expired")) return "failed";
  if (items.length === 0 && (loading || cursor === null || hasMore)) return "loading";
  if (loading || hasMore) return "more";
  if (items.length > 0) return "end";
  if (isNarrowed(filter)) return "emptyFiltered";
  return filter.unreadOnly ? "emptyUnread" : "emptyAll";
}

/** @param {string} name @param {number} count */
function skeleton(name, count) {
  const rows = Array.from({ length: count }, () => h("div", { class: "bone", part: "skeleton" }, h("i"), h("b"), h("b")));
  return h("div", { class: "skeleton", role: "img", "aria-label": name }, ...rows);
}
