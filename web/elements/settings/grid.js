// Which channels each category, and each kind of it, may take: a table of checkboxes.

import { icon } from "../icons.js";
import { h } from "../dom.js";
import { fill } from "../texts.js";

/** @typedef {import("./draft.js").Document} Document */
/** @typedef {import("./draft.js").Standings} Standings */
/** @typedef {import("../settings.js").Words} Words */

const CHANNELS = /** @type {const} */ (["inbox", "toast", "browser", "push", "email", "sms"]);
/** A page shows an item on these channels only if the inbox has it. */
const OF_THE_PAGE = ["toast", "browser"];

/**
 * @typedef {object} Cell
 * @property {boolean} on
 * @property {boolean} isMixed some of the kinds take it, and some do not
 * @property {"mandatory" | "notInInbox" | null} locked
 */

export class Grid {
  #words;
  #change;
  #rows = "";
  /** @type {Document | null} */
  #document = null;
  /** @type {Map<string, HTMLInputElement>} */
  #boxes = new Map();
  /** @type {Set<string>} categories whose kinds are seen */
  #opened = new Set();
  #body = h("table", { part: "grid" });

  /** @param {Words} words @param {(patch: any) => void} change */
  constructor(words, change) {
    this.#words = words;
    this.#change = change;
    this.element = h(
      "section",
      { part: "section", "aria-labelledby": "channels" },
      h("h2", { id: "channels" }, words.channels.title),
      h("p", { class: "hint" }, words.channels.hint),
      this.#body,
      h("p", { class: "said", id: "why-mandatory" }, words.channels.mandatory),
      h("p", { class: "said", id: "why-notInInbox" }, words.channels.notInInbox),
    );
  }

  /** @param {Document} document */
  update(document) {
    this.#document = document;
    const { categories, kinds } = document.inForce;
    const rows = JSON.stringify([Object.keys(categories), Object.entries(kinds).map(([name, { category }]) => [name, category])]);
    if (rows !== this.#rows) this.#build();
    this.#rows = rows;
    for (const name of Object.keys(categories)) {
      for (const channel of CHANNELS) this.#show(`${name} ${channel}`, ofCategory(document, name, channel));
    }
    for (const [name, { channels }] of Object.entries(kinds)) {
      for (const channel of CHANNELS) this.#show(`:${name} ${channel}`, ofKind(channels, channel));
    }
  }

  #build() {
    const { inForce } = /** @type {Document} */ (this.#document);
    const words = this.#words;
    this.#boxes.clear();
    const heads = CHANNELS.map((channel) => h("th", { scope: "col" }, h("span", {}, words.channels.names[channel])));
    const names = Object.keys(inForce.categories).sort((a, b) => words.category(a).localeCompare(words.category(b)));
    const loose = Object.keys(inForce.kinds).filter((kind) => !inForce.kinds[kind].category);
    this.#body.replaceChildren(
      h("thead", {}, h("tr", {}, h("td"), ...heads)),
      ...names.flatMap((name) => this.#category(name)),
      ...(loose.length > 0 ? [h("tbody", {}, ...loose.map((kind) => this.#kind(kind)))] : []),
    );
  }

  /** @param {string} name */
  #category(name) {
    const { inForce } = /** @type {Document} */ (this.#document);
    const kinds = Object.keys(inForce.kinds).filter((kind) => inForce.kinds[kind].category === name);
    const label = this.#words.category(name);
    const rows = h("tbody", { class: "kinds", hidden: !this.#opened.has(name) }, ...kinds.map((kind) => this.#kind(kind)));
    const toggle = h("button", { type: "button", class: "fold", "aria-expanded": String(!rows.hidden), dir: "auto" }, icon("back"), label);
    toggle.addEventListener("click", () => {
      rows.hidden = !rows.hidden;
      toggle.setAttribute("aria-expanded", String(!rows.hidden));
      this.#opened[rows.hidden ? "delete" : "add"](name);
    });
    const choose = (/** @type {string} */ channel, /** @type {boolean} */ on) => this.#chooseForCategory(name, kinds, channel, on);
    const head = h("th", { scope: "row" }, kinds.length > 0 ? toggle : h("span", { class: "name", dir: "auto" }, label));
    return [h("tbody", {}, h("tr", {}, head, ...this.#cells(name, label, choose))), rows];
  }

  /** @param {string} name */
  #kind(name) {
    const { mandatory } = /** @type {Document} */ (this.#document).inForce.kinds[name];
    const label = this.#words.kind(name);
    const note = mandatory ? h("span", { class: "note" }, this.#words.channels.required) : null;
    const choose = (/** @type {string} */ channel, /** @type {boolean} */ on) => this.#change({ kinds: { [name]: { [channel]: on } } });
    return h("tr", {}, h("th", { scope: "row" }, h("span", { class: "name", dir: "auto" }, label), note), ...this.#cells(`:${name}`, label, choose));
  }

  /** @param {string} row @param {string} label @param {(channel: string, on: boolean) => void} choose */
  #cells(row, label, choose) {
    return CHANNELS.map((channel) => {
      const name = fill(this.#words.channels.cell, { name: label, channel: this.#words.channels.names[channel] });
      const box = h("input", { type: "checkbox", part: "checkbox", "aria-label": name });
      // A locked box is shown and explained to the keyboard too, so it is not `disabled`.
      box.addEventListener("click", (event) => box.ariaDisabled === "true" && event.preventDefault());
      box.addEventListener("change", () => choose(channel, box.checked));
      this.#boxes.set(`${row} ${channel}`, box);
      return h("td", {}, h("label", {}, box));
    });
  }

  /** The word on a category is the last word: its kinds lose theirs. @param {string} name @param {string[]} kinds @param {string} channel @param {boolean} on */
  #chooseForCategory(name, kinds, channel, on) {
    const { inForce } = /** @type {Document} */ (this.#document);
    const own = kinds.filter((kind) => inForce.kinds[kind].channels[channel].cause === "kindPreference");
    const forgotten = Object.fromEntries(own.map((kind) => [kind, { [channel]: null }]));
    this.#change({ categories: { [name]: { [channel]: on } }, ...(own.length > 0 ? { kinds: forgotten } : {}) });
  }

  /** @param {string} place @param {Cell} cell */
  #show(place, { on, isMixed, locked }) {
    const box = /** @type {HTMLInputElement} */ (this.#boxes.get(place));
    box.checked = on;
    box.indeterminate = isMixed;
    box.ariaDisabled = locked ? "true" : null;
    box.title = locked ? this.#words.channels[locked] : "";
    if (locked) box.setAttribute("aria-describedby", `why-${locked}`);
    else box.removeAttribute("aria-describedby");
  }
}

/** @param {Standings} channels @param {string} channel @returns {Cell} */
function ofKind(channels, channel) {
  const { on, cause } = channels[channel];
  if (cause === "mandatory") return { on, isMixed: false, locked: "mandatory" };
  if (OF_THE_PAGE.includes(channel) && !channels.inbox.on) return { on: false, isMixed: false, locked: "notInInbox" };
  return { on, isMixed: false, locked: null };
}

/** The common state of its kinds; kinds that cannot be changed do not count. @param {Document} document @param {string} name @param {string} channel @returns {Cell} */
function ofCategory({ inForce }, name, channel) {
  const kinds = Object.values(inForce.kinds).filter(({ category }) => category === name);
  const cells = kinds.length > 0 ? kinds.map(({ channels }) => ofKind(channels, channel)) : [ofKind(inForce.categories[name], channel)];
  const free = cells.filter(({ locked }) => locked === null);
  const some = (free.length > 0 ? free : cells).map(({ on }) => on);
  const on = some.every(Boolean);
  return { on, isMixed: !on && some.some(Boolean), locked: free.length > 0 ? null : cells[0].locked };
}
