// Asks whether the browser may ask: its own prompt, once refused, never comes again.

import { icon } from "../icons.js";
import { h } from "../dom.js";

/**
 * @param {ReturnType<typeof import("../texts.js").texts<"toasts">>} words
 * @param {{allow: () => void, later: () => void}} doing
 */
export function prompt(words, { allow, later }) {
  return h(
    "div",
    { class: "card prompt", part: "prompt", role: "group", "aria-labelledby": "ask" },
    h("span", { class: "icon", part: "icon" }, icon("bell")),
    h(
      "div",
      { class: "body" },
      h("p", { class: "title", id: "ask" }, words.askTitle),
      h("p", { class: "message" }, words.askMessage),
      h(
        "div",
        { class: "actions" },
        h("button", { type: "button", class: "main", part: "button", on: { click: allow } }, words.askAllow),
        h("button", { type: "button", class: "plain", part: "button", on: { click: later } }, words.askLater),
      ),
    ),
  );
}
