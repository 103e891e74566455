// The keys of the list, and their help.

import { h } from "../dom.js";

/** @type {Record<string, string>} */
export const ACTIONS = { r: "read", e: "archive", s: "snooze" };

/**
 * The index that a key leads to, from an index among so many; null if it leads nowhere.
 * @param {string} key @param {number} at @param {number} count
 */
export function moved(key, at, count) {
  if (key === "ArrowDown") return Math.min(at + 1, count - 1);
  if (key === "ArrowUp") return Math.max(at - 1, 0);
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  return null;
}

/** @param {import("../locale.js").Locale} locale */
export function help({ words }) {
  const keys = [
    ["↓ ↑", words.keyMove],
    ["Home End", words.keyEnds],
    ["Enter", words.keyOpen],
    ["R", words.keyRead],
    ["E", words.keyArchive],
    ["S", words.keySnooze],
    ["Esc", words.keyClose],
  ];
  const lines = keys.map(([names, does]) =>
    h("div", {}, h("dt", {}, ...names.split(" ").map((name) => h("kbd", {}, name))), h("dd", {}, does)),
  );
  return h("details", { class: "keys", part: "keys" }, h("summary", {}, words.keys), h("dl", {}, ...lines));
}
