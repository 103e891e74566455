// The items, by day, with one of them current: the one that the Tab key reaches, and from which the arrows go on.

import { h } from "../dom.js";
import { byDay } from "./days.js";
import { arrange, setText } from "./keyed.js";
import { ACTIONS, moved } from "./keys.js";
import { Row } from "./row.js";
import { Seen } from "./seen.js";

/** @typedef {import("../../client/types.js").Item} Item */
/** @typedef {(name: string, row: Row, event: Event) => void} Act */

export class List {
  #locale;
  #scroller;
  #act;
  /** @type {Map<string, Row>} */
  #rows = new Map();
  /** @type {string[]} the ids, from top to bottom */
  #order = [];
  /** @type {Map<number, {at: number, element: HTMLElement, heading: HTMLElement, list: HTMLElement}>} */
  #days = new Map();
  /** @type {string | null} */
  #current = null;

  /**
   * @param {import("../locale.js").Locale} locale
   * @param {HTMLElement} scroller
   * @param {Act} act does the action of a click or a key
   */
  constructor(locale, scroller, act) {
    this.#locale = locale;
    this.#scroller = scroller;
    this.#act = act;
    this.seen = new Seen(scroller);
    const on = {
      click: (/** @type {Event} */ event) => this.#click(event),
      keydown: (/** @type {KeyboardEvent} */ event) => this.#key(event),
      focusin: (/** @type {Event} */ event) => this.#makeCurrent(this.#rowOf(event)?.item.id ?? null),
    };
    this.element = h("div", { class: "days", part: "list", on });
  }

  /** @param {readonly Item[]} items @param {number} now */
  update(items, now) {
    const before = this.#order;
    const focused = this.#focused();
    this.#keep(items, now);
    this.#order = items.map(({ id }) => id);
    this.#arrange(items, now);
    this.#makeCurrent(this.#successor(before));
    if (focused) this.#refocus(focused);
  }

  /** @param {number} now */
  tick(now) {
    this.#rows.forEach((row) => row.tick(now));
    this.#days.forEach(({ heading, at }) => setText(heading, this.#locale.heading(at, now)));
  }

  /** Gives the current item the focus; false when there is none. */
  focus() {
    const row = this.#rows.get(this.#current ?? "");
    row?.link.focus();
    return row !== undefined;
  }

  /** The id of the current item. */
  get current() {
    return this.#current;
  }

  set current(id) {
    if (this.#rows.has(id ?? "")) this.#makeCurrent(id);
  }

  /** Makes the newest item the current one. */
  rewind() {
    this.#makeCurrent(this.#order[0] ?? null);
  }

  close() {
    this.seen.close();
  }

  /** @param {readonly Item[]} items @param {number} now */
  #keep(items, now) {
    const gone = new Set(this.#rows.keys());
    for (const item of items) {
      gone.delete(item.id);
      const row = this.#rows.get(item.id);
      if (row) row.update(item, now);
      else this.#add(new Row(item, this.#locale, now));
    }
    for (const id of gone) this.#remove(id);
  }

  /** @param {Row} row */
  #add(row) {
    this.#rows.set(row.item.id, row);
    this.seen.add(row);
  }

  /** @param {string} id */
  #remove(id) {
    const row = this.#rows.get(id);
    if (row) this.seen.remove(row);
    this.#rows.delete(id);
  }

  /** @param {readonly Item[]} items @param {number} now */
  #arrange(items, now) {
    const groups = byDay(items, this.#locale);
    const sections = groups.map(({ day, at, items }) => {
      const section = this.#days.get(day) ?? makeDay(day, at);
      this.#days.set(day, section);
      setText(section.heading, this.#locale.heading(at, now));
      arrange(section.list, items.flatMap(({ id }) => this.#rows.get(id)?.element ?? []));
      return section.element;
    });
    const shown = new Set(groups.map(({ day }) => day));
    for (const day of this.#days.keys()) if (!shown.has(day)) this.#days.delete(day);
    arrange(this.element, sections);
  }

  /** The current item, or where it left, the next one that stayed, or the one before it. @param {string[]} before */
  #successor(before) {
    const at = before.indexOf(this.#current ?? "");
    const stayed = (/** @type {string} */ id) => this.#rows.has(id);
    if (at < 0) return this.#order[0] ?? null;
    return before.slice(at).find(stayed) ?? before.slice(0, at).findLast(stayed) ?? this.#order[0] ?? null;
  }

  /** Also of an item that is current already: it may have left and come back as another row. @param {string | null} id */
  #makeCurrent(id) {
    const last = this.#rows.get(this.#current ?? "");
    const next = this.#rows.get(id ?? "");
    if (last && last !== next) last.isCurrent = false;
    if (next) next.isCurrent = true;
    this.#current = id;
  }

  /** The part of the list that has the focus. */
  #focused() {
    const root = /** @type {ShadowRoot} */ (this.element.getRootNode());
    const active = root.activeElement;
    return active instanceof HTMLElement && this.element.contains(active) ? active : null;
  }

  /** The focus stays where it was; where that left, or is hidden now, the current item has it. @param {HTMLElement} focused */
  #refocus(focused) {
    if (this.#focused() === focused && !focused.hidden) return;
    if (focused.isConnected && !focused.hidden) return focused.focus({ preventScroll: true });
    if (!this.focus()) this.#scroller.focus();
  }

  /** @param {Event} event */
  #rowOf(event) {
    const element = /** @type {Element} */ (event.target).closest(".row");
    return this.#rows.get(element?.getAttribute("data-id") ?? "");
  }

  /** @param {Event} event */
  #click(event) {
    const row = this.#rowOf(event);
    const name = /** @type {Element} */ (event.target).closest("[data-do]")?.getAttribute("data-do");
    if (row && name) this.#act(name, row, event);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const row = this.#rowOf(event);
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    const place = moved(event.key, this.#order.indexOf(row.item.id), this.#order.length);
    const name = ACTIONS[event.key.toLowerCase()];
    if (place !== null) this.#rows.get(this.#order[place])?.link.focus();
    else if (name) this.#act(name, row, event);
    // A link that leads nowhere is a button to the eye, but not to the browser.
    else if ([" ", "Enter"].includes(event.key) && event.target === row.link && !row.link.href) row.link.click();
    else return;
    event.preventDefault();
  }
}

/** @param {number} day @param {number} at */
function makeDay(day, at) {
  const id = `day-${day}`;
  const heading = h("h3", { id, class: "day", part: "day" });
  // Without markers some browsers take a list for none, unless it has the role.
  const list = h("ul", { role: "list", "aria-labelledby": id });
  return { at, element: h("section", {}, heading, list), heading, list };
}
