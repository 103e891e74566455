// How one toast looks: an item, or a summary of several.

import { h, target } from "../dom.js";
import { fill } from "../texts.js";
import { swipe } from "./swipe.js";

/** @typedef {import("../../client/types.js").Item} Item */
/** @typedef {import("./stack.js").Toast} Toast */

/**
 * What is done with a card.
 * @typedef {object} Doing
 * @property {(item: Item) => void} open
 * @property {(item: Item) => void} read
 * @property {(toast: Toast) => void} spread shows what a summary stands for
 * @property {(toast: Toast) => void} close
 * @property {() => void} hush sound on or off
 */

/**
 * @typedef {object} Voice
 * @property {ReturnType<typeof import("../texts.js").texts<"toasts">>} words
 * @property {string} language
 * @property {boolean} isLoud whether there is sound to be switched off
 */

/** Items that a summary names. */
const NAMED = 3;

export class Card {
  #doing;
  /** @type {Toast | null} */
  #toast = null;
  #isLoud = false;

  element = h("li", { class: "card" });

  /** @param {Doing} doing */
  constructor(doing) {
    this.#doing = doing;
    swipe(this.element, () => this.#toast && doing.close(this.#toast));
  }

  /** @param {Toast} toast @param {Voice} voice */
  show(toast, voice) {
    if (toast === this.#toast && voice.isLoud === this.#isLoud) return;
    this.#toast = toast;
    this.#isLoud = voice.isLoud;
    const root = /** @type {ShadowRoot} */ (this.element.getRootNode());
    const held = this.element.contains(root.activeElement ?? null) ? root.activeElement?.getAttribute("data-does") : null;
    this.element.dataset.priority = toast.priority;
    this.element.setAttribute("part", `toast toast-${toast.priority}`);
    const content = toast.items.length === 1 ? this.#single(toast, toast.items[0], voice) : this.#summary(toast, voice);
    this.element.replaceChildren(...content);
    if (held) this.control(held)?.focus();
  }

  /** The control that does this, or the first. @param {string} [does] @returns {HTMLElement | null} */
  control(does) {
    return this.element.querySelector(does ? `[data-does="${does}"]` : "button") ?? this.element.querySelector("button");
  }

  /** @param {Toast} toast @param {Item} item @param {Voice} voice */
  #single(toast, item, { words, language, isLoud }) {
    const more = (item.count ?? 1) > 1 ? h("span", { class: "count", part: "count" }, `×${item.count}`) : null;
    const open = target(item.actionUrl) && this.#button("open", item.actionLabel || words.open, () => this.#doing.open(item), "main");
    return [
      h(
        "div",
        { class: "body" },
        h("p", { class: "meta" }, this.#priority(toast, words), time(item.createdAt, language)),
        h("p", { class: "title", part: "title", dir: "auto" }, item.title, more),
        item.message ? h("p", { class: "message", part: "message", dir: "auto" }, item.message) : null,
        h("div", { class: "actions" }, open, this.#button("read", words.markRead, () => this.#doing.read(item))),
      ),
      this.#corner(toast, item.title, words, isLoud && toast.priority === "critical"),
    ];
  }

  /** @param {Toast} toast @param {Voice} voice */
  #summary(toast, { words, language, isLoud }) {
    const { items } = toast;
    const title = fill(words.missed, { n: items.length }, language);
    const rows = items.slice(0, NAMED).map((item) => {
      const dot = h("span", { class: "dot", "data-priority": item.priority });
      const button = this.#button(`open ${item.id}`, item.title, () => this.#doing.open(item), "row");
      button.dir = "auto";
      button.prepend(dot);
      return h("li", {}, button);
    });
    return [
      h(
        "div",
        { class: "body" },
        h("p", { class: "meta" }, this.#priority(toast, words)),
        h("p", { class: "title", part: "title" }, title),
        h("ul", { class: "rows", role: "list" }, ...rows),
        h("div", { class: "actions" }, this.#button("spread", words.showAll, () => this.#doing.spread(toast), "main")),
      ),
      this.#corner(toast, title, words, isLoud && toast.priority === "critical"),
    ];
  }

  /** @param {Toast} toast @param {Voice["words"]} words */
  #priority({ priority }, words) {
    return h("span", { class: "priority", part: "priority" }, words.priorities[priority]);
  }

  /** @param {Toast} toast @param {string} title @param {Voice["words"]} words @param {boolean} canHush */
  #corner(toast, title, words, canHush) {
    const close = this.#button("close", "✕", () => this.#doing.close(toast), "icon");
    close.setAttribute("aria-label", fill(words.close, { title }));
    close.setAttribute("part", "close");
    const hush = canHush ? this.#button("hush", words.muteSound, () => this.#doing.hush()) : null;
    return h("div", { class: "corner" }, hush, close);
  }

  /** @param {string} does @param {string} label @param {() => void} click @param {string} [sort] */
  #button(does, label, click, sort = "plain") {
    return h("button", { type: "button", class: sort, part: "button", "data-does": does, on: { click } }, label);
  }
}

/** @param {string} at @param {string} language */
function time(at, language) {
  const moment = new Date(at);
  const isToday = moment.toDateString() === new Date().toDateString();
  const format = new Intl.DateTimeFormat(language, isToday ? { timeStyle: "short" } : { dateStyle: "short", timeStyle: "short" });
  return h("time", { dateTime: at }, format.format(moment));
}
