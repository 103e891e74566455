// One notification of the list: made once, and then updated. The list handles its buttons.

import { h, imageBox, showImage, target } from "../dom.js";
import { dueText, urgency } from "./due.js";
import { icon } from "../icons.js";
import { setAttribute, setText } from "./keyed.js";

/** @typedef {import("../../client/types.js").Item} Item */
/** @typedef {import("../locale.js").Locale} Locale */

/** A title may be cut when it is longer. */
const TITLE_FITS = 80;

export class Row {
  #locale;
  #iconName = "";
  /** @type {Item} */
  item;

  /** @param {Item} item @param {Locale} locale @param {number} now */
  constructor(item, locale, now) {
    this.item = item;
    this.#locale = locale;
    const { words } = locale;
    const id = `item-${item.id}`;

    this.icon = h("span", { class: "icon", part: "item-icon" });
    this.title = h("span", { class: "title", dir: "auto" });
    this.state = h("span", { class: "aside" });
    this.link = h("a", { class: "open", part: "item-title", dir: "auto", "data-do": "open", "aria-describedby": id }, this.title, this.state);
    this.message = h("p", { class: "message", part: "item-message", dir: "auto" });
    this.image = imageBox("item-image");
    this.due = h("span", { class: "chip by", part: "chip" });
    this.critical = h("span", { class: "chip urgent", part: "chip" }, words.critical);
    this.count = h("span", { class: "chip", part: "chip" });
    this.category = h("span", { dir: "auto" });
    this.time = h("time", { part: "item-time" });
    this.action = h("a", { class: "button action", part: "item-action", "data-do": "open", dir: "auto" });
    this.acknowledge = h("button", { class: "button", part: "item-action", type: "button", "data-do": "acknowledge" }, words.acknowledge);
    this.finish = h("button", { class: "button", part: "item-action", type: "button", "data-do": "finish" }, words.finish);
    this.read = tool("read");
    this.snooze = tool("snooze", words.snooze, "clock");
    this.snooze.setAttribute("aria-haspopup", "dialog");
    this.archive = tool("archive", words.archive, "archive");

    const facts = h("p", { class: "facts", id }, this.critical, this.due, this.count, this.category, this.time);
    const buttons = h("div", { class: "buttons" }, this.action, this.acknowledge, this.finish);
    const tools = h("div", { class: "tools" }, this.read, this.snooze, this.archive);
    const line = h("div", { class: "line" }, facts, tools);
    const content = h("div", { class: "content" }, this.image, this.link, this.message, line, buttons);
    this.element = h("li", { class: "row", part: "item", "data-id": item.id }, this.icon, content);
    this.isCurrent = false;
    this.#show(now);
  }

  /** @param {Item} item @param {number} now */
  update(item, now) {
    if (isSame(item, this.item)) return;
    this.item = item;
    this.#show(now);
  }

  /** Shows the parts that depend on the time. @param {number} now */
  tick(now) {
    const { item } = this;
    const by = urgency(item);
    this.due.hidden = by === null;
    if (by) setText(this.due, dueText(item, now, this.#locale));
    this.#is("due", by === "due");
    this.#is("overdue", by === "overdue");
    setText(this.time, this.#locale.ago(Date.parse(item.createdAt), now));
  }

  /** Of all items only the current one is a stop of the Tab key. @param {boolean} is */
  set isCurrent(is) {
    for (const stop of [this.link, this.action, this.acknowledge, this.finish, this.read, this.snooze, this.archive]) stop.tabIndex = is ? 0 : -1;
  }

  /** Shows all of a long message, or its beginning. */
  expand() {
    const is = this.element.classList.toggle("expanded");
    this.link.setAttribute("aria-expanded", String(is));
  }

  /** @param {number} now */
  #show(now) {
    const { item } = this;
    const locale = this.#locale;
    const { words } = locale;
    this.#picture();
    setText(this.title, item.title);
    setAttribute(this.title, "title", item.title.length > TITLE_FITS ? item.title : null);
    setText(this.state, item.readAt ? "" : `, ${words.isUnread}`);
    setText(this.message, item.message ?? "");
    this.message.hidden = !item.message?.trim();
    showImage(this.image, item.imageUrl);
    this.critical.hidden = item.priority !== "critical";
    this.count.hidden = (item.count ?? 1) < 2;
    setText(this.count, locale.fill(words.messages, { n: item.count ?? 1 }));
    setText(this.category, item.category ? locale.category(item.category) : "");
    setAttribute(this.time, "datetime", item.createdAt);
    setAttribute(this.time, "title", locale.full(Date.parse(item.createdAt)));
    this.#is("unread", !item.readAt);
    this.#is("missed", item.kind === "missed_call" || item.category === "missedCalls");
    this.#is("critical", item.priority === "critical");
    this.#lead();
    this.#offer();
    this.tick(now);
  }

  #picture() {
    const name = this.item.icon ?? "bell";
    if (name === this.#iconName) return;
    this.#iconName = name;
    this.icon.replaceChildren(icon(name));
  }

  /** The link of the item. An item without one has a button that shows all of it. */
  #lead() {
    const url = target(this.item.actionUrl)?.href ?? null;
    const { words } = this.#locale;
    const isCallback = this.item.category === "callbacks" || this.item.kind === "callback_due";
    setAttribute(this.link, "href", url);
    setAttribute(this.link, "role", url ? null : "button");
    setAttribute(this.action, "href", url);
    this.action.hidden = !url;
    setText(this.action, this.item.actionLabel || (isCallback ? words.callNow : words.open));
  }

  /** The actions that are possible now. */
  #offer() {
    const { item } = this;
    const { words } = this.#locale;
    this.acknowledge.hidden = item.dueState !== "due" && item.dueState !== "overdue";
    this.finish.hidden = this.acknowledge.hidden && item.dueState !== "acknowledged";
    label(this.read, item.readAt ? words.reread : words.read, item.readAt ? "circle" : "check");
  }

  /** @param {string} name @param {boolean} is */
  #is(name, is) {
    this.element.classList.toggle(name, is);
    this.element.part.toggle(`item-${name}`, is);
  }
}

/** @param {string} action @param {string} [name] @param {string} [picture] */
function tool(action, name, picture) {
  const button = h("button", { class: "tool", part: "item-tool", type: "button", "data-do": action });
  if (name && picture) label(button, name, picture);
  return button;
}

/** @param {HTMLElement} button @param {string} name @param {string} picture */
function label(button, name, picture) {
  if (button.title === name) return;
  button.title = name;
  button.setAttribute("aria-label", name);
  button.replaceChildren(icon(picture));
}

/** @param {Item} one @param {Item} other */
function isSame(one, other) {
  if (one === other) return true;
  const names = /** @type {(keyof Item)[]} */ (Object.keys({ ...one, ...other }));
  return names.every((name) => one[name] === other[name]);
}
