// How one toast looks: an item, or a summary of several.

import { icon } from "../icons.js";
import { h, imageBox, showImage, target } from "../dom.js";
import { fill } from "../texts.js";
import { swipe } from "./swipe.js";

/** @typedef {import("../../client/types.js").Item} Item */
/** @typedef {import("./stack.js").Toast} Toast */

/**
 * The actions of a card.
 * @typedef {object} Doing
 * @property {(item: Item) => void} open
 * @property {(item: Item) => void} read
 * @property {(item: Item) => void} acknowledge says that it is being taken care of
 * @property {(toast: Toast) => void} spread shows the items of a summary
 * @property {(toast: Toast) => void} close
 * @property {() => void} hush sound on or off
 */

/**
 * @typedef {object} Voice
 * @property {ReturnType<typeof import("../texts.js").texts<"toasts">>} words
 * @property {string} language
 * @property {() => number} now the server's time
 * @property {boolean} isLoud whether there is sound to be switched off
 */

/** Items that a summary names. */
const NAMED = 3;
/** A title may be cut when it is longer. */
const TITLE_FITS = 40;

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
    return this.element.querySelector(`[data-does="${does}"]`) ?? this.element.querySelector("[data-does]");
  }

  /** @param {Toast} toast @param {Item} item @param {Voice} voice */
  #single(toast, item, { words, language, now, isLoud }) {
    const more = (item.count ?? 1) > 1 ? h("span", { class: "count", part: "count" }, `×${item.count}`) : null;
    const image = imageBox("image");
    showImage(image, item.imageUrl);
    const read = this.#tool("read", words.markRead, "check", () => this.#doing.read(item));
    return [
      h("span", { class: "icon", part: "icon" }, icon(item.icon)),
      h(
        "div",
        { class: "body" },
        h("p", { class: "meta" }, this.#priority(toast, words), time(item.createdAt, language, now()), more),
        h("p", { class: "title", part: "title", dir: "auto", title: whole(item) }, item.title),
        item.message ? h("p", { class: "message", part: "message", dir: "auto" }, item.message) : null,
        image,
        this.#actions(item, words),
      ),
      this.#corner(toast, item.title, words, isLoud, read),
    ];
  }

  /** @param {Toast} toast @param {Voice} voice */
  #summary(toast, { words, language, isLoud }) {
    const { items } = toast;
    const title = fill(words.missed, { n: items.length }, language);
    const rows = items.slice(0, NAMED).map((item) => {
      const dot = h("span", { class: "dot", "data-priority": item.priority });
      const title = h("span", { class: "named", dir: "auto" }, item.title);
      const button = this.#button(`open ${item.id}`, title, () => this.#doing.open(item), "row");
      button.title = whole(item) ?? "";
      // The dot has a shape for each priority; those who do not see it hear the word.
      button.prepend(dot, h("span", { class: "said" }, `${words.priorities[item.priority]}: `));
      return h("li", {}, button);
    });
    return [
      h("span", { class: "icon", part: "icon" }, icon("bell")),
      h(
        "div",
        { class: "body" },
        h("p", { class: "meta" }, this.#priority(toast, words)),
        h("p", { class: "title", part: "title" }, title),
        h("ul", { class: "rows", role: "list" }, ...rows),
        h("div", { class: "actions" }, this.#button("spread", words.showAll, () => this.#doing.spread(toast), "main")),
      ),
      this.#corner(toast, title, words, isLoud),
    ];
  }

  /** @param {Toast} toast @param {Voice["words"]} words */
  #priority({ priority }, words) {
    return h("span", { class: "priority", part: "priority" }, words.priorities[priority]);
  }

  /** @param {Toast} toast @param {string} title @param {Voice["words"]} words @param {boolean} isLoud @param {HTMLElement} [more] */
  #corner(toast, title, words, isLoud, more) {
    const canHush = isLoud && toast.priority === "critical";
    return h(
      "div",
      { class: "corner" },
      canHush && this.#tool("hush", words.muteSound, "bell-off", () => this.#doing.hush()),
      more,
      this.#tool("close", fill(words.close, { title }), "close", () => this.#doing.close(toast)),
    );
  }

  /** @param {Item} item @param {Voice["words"]} words */
  #actions(item, words) {
    const link = target(item.actionUrl) && this.#link(item, words);
    const isDue = item.dueState === "due" || item.dueState === "overdue";
    const acknowledge = isDue && this.#button("acknowledge", words.acknowledge, () => this.#doing.acknowledge(item), "plain");
    return link || acknowledge ? h("div", { class: "actions" }, link, acknowledge) : null;
  }

  /** The target of the item: a link, so that it can be opened elsewhere and be copied. @param {Item} item @param {Voice["words"]} words */
  #link(item, words) {
    const click = (/** @type {MouseEvent} */ event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return this.#doing.read(item);
      event.preventDefault();
      this.#doing.open(item);
    };
    const { href } = /** @type {URL} */ (target(item.actionUrl));
    return h("a", { class: "main", part: "button action", "data-does": "open", dir: "auto", href, on: { click } }, item.actionLabel || words.open);
  }

  /** @param {string} does @param {string} label @param {string} picture @param {() => void} click */
  #tool(does, label, picture, click) {
    const properties = { type: "button", class: "tool", part: `button ${does}`, title: label, "aria-label": label, "data-does": does, on: { click } };
    return h("button", properties, icon(picture));
  }

  /** @param {string} does @param {string | Node} label @param {() => void} click @param {string} sort */
  #button(does, label, click, sort) {
    return h("button", { type: "button", class: sort, part: "button", "data-does": does, on: { click } }, label);
  }
}

/** The tooltip of a title that may be cut. @param {Item} item */
const whole = ({ title }) => (title.length > TITLE_FITS ? title : null);

/** @param {string} at @param {string} language @param {number} now */
function time(at, language, now) {
  const moment = new Date(at);
  const isToday = moment.toDateString() === new Date(now).toDateString();
  const format = new Intl.DateTimeFormat(language, isToday ? { timeStyle: "short" } : { dateStyle: "short", timeStyle: "short" });
  return h("time", { dateTime: at }, format.format(moment));
}
