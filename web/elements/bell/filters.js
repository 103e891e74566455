// The choice of the shown items: the tabs, and the filters.

import { h } from "../dom.js";
import { setAttribute, setText } from "./keyed.js";

const PRIORITIES = /** @type {const} */ (["critical", "high", "medium", "low"]);

/** @typedef {import("../../client/types.js").Filter} Filter */

export class Filters {
  #locale;
  #choose;
  /** @type {Filter} */
  #filter = {};
  /** @type {Set<string>} */
  #categories = new Set();

  /** @param {import("../locale.js").Locale} locale @param {(filter: Filter) => void} choose takes another choice */
  constructor(locale, choose) {
    this.#locale = locale;
    this.#choose = choose;
    const { words } = locale;
    this.count = h("span", { class: "count", part: "tab-count" });
    this.all = this.#tab(words.tabAll, false);
    this.unread = this.#tab(words.tabUnread, true, this.count);
    const onKey = (/** @type {KeyboardEvent} */ event) => this.#key(event);
    this.tabs = h("div", { class: "tabs", part: "tabs", role: "tablist", "aria-label": words.views, on: { keydown: onKey } }, this.all, this.unread);
    this.category = this.#select("category", words.category, words.anyCategory);
    this.priority = this.#select("priority", words.priority, words.anyPriority);
    for (const priority of PRIORITIES) this.priority.append(new Option(words.priorities[priority], priority));
    const clear = () => {
      this.category.focus();
      this.#narrow({ category: undefined, priority: undefined });
    };
    this.clear = h("button", { class: "link", type: "button", on: { click: clear } }, words.clear);
    this.element = h("div", { class: "filters", part: "filters", role: "group", "aria-label": words.filters }, this.category, this.priority, this.clear);
  }

  /** The tab that is selected. */
  get selected() {
    return this.#filter.unreadOnly ? this.unread : this.all;
  }

  /** @param {import("../../client/types.js").State} state */
  update({ filter, unread, items }) {
    this.#filter = filter;
    for (const tab of [this.all, this.unread]) {
      setAttribute(tab, "aria-selected", String(tab === this.selected));
      tab.tabIndex = tab === this.selected ? 0 : -1;
    }
    setText(this.count, unread.toLocaleString(this.#locale.language));
    this.count.hidden = unread === 0;
    this.know(items.flatMap(({ category }) => category ?? []));
    if (filter.category) this.know([filter.category]);
    show(this.category, filter.category);
    show(this.priority, filter.priority);
    this.clear.hidden = !filter.category && !filter.priority;
  }

  /** Offers these categories as well. @param {string[]} categories */
  know(categories) {
    const fresh = categories.filter((category) => !this.#categories.has(category));
    if (fresh.length === 0) return;
    for (const category of fresh) this.#categories.add(category);
    const named = [...this.#categories].map((value) => ({ value, name: this.#locale.category(value) }));
    named.sort((one, other) => one.name.localeCompare(other.name, this.#locale.language));
    const [any] = this.category.options;
    this.category.replaceChildren(any, ...named.map(({ value, name }) => new Option(name, value)));
    show(this.category, this.#filter.category);
  }

  /** Offers only the categories of items that come from now on. */
  forget() {
    this.#categories.clear();
  }

  /** @param {Partial<Filter>} change */
  #narrow(change) {
    this.#choose({ ...this.#filter, ...change });
  }

  /** @param {string} name @param {boolean} unreadOnly @param {Node} [count] */
  #tab(name, unreadOnly, count) {
    const choose = () => this.#narrow({ unreadOnly: unreadOnly || undefined });
    const id = unreadOnly ? "tab-unread" : "tab-all";
    return h("button", { class: "tab", part: "tab", role: "tab", type: "button", id, "aria-controls": "list", on: { click: choose } }, name, count);
  }

  /** @param {"category" | "priority"} field @param {string} name @param {string} any */
  #select(field, name, any) {
    const choose = (/** @type {Event} */ { target }) => this.#narrow({ [field]: /** @type {HTMLSelectElement} */ (target).value || undefined });
    return h("select", { class: "select", part: "filter", "aria-label": name, on: { change: choose } }, new Option(any, ""));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (!["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) return;
    const other = this.selected === this.all ? this.unread : this.all;
    const tab = event.key === "Home" ? this.all : event.key === "End" ? this.unread : other;
    event.preventDefault();
    tab.focus();
    tab.click();
  }
}

/** @param {HTMLSelectElement} select @param {string | undefined} value */
function show(select, value = "") {
  if (select.value !== value) select.value = value;
  select.classList.toggle("chosen", value !== "");
}
