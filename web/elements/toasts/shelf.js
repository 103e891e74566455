// The container of toasts: how many are seen, how long, and where the keyboard is. Knows no client.

import { adopt, h, sheet } from "../dom.js";
import { fill } from "../texts.js";
import { theme } from "../theme.js";
import { Card } from "./card.js";
import { Countdown } from "./countdown.js";
import { css } from "./style.js";

/** @typedef {import("./stack.js").Toast} Toast */

const style = sheet(css);
/** Lines that a screen reader may still have to say. */
const SAID_AT_MOST = 5;

/**
 * @typedef {object} Handling
 * @property {(toast: Toast) => void} lapse its time is over
 * @property {() => void} clear all of them are closed
 */

/**
 * @typedef {object} Manner
 * @property {number} most toasts that are seen at once
 * @property {Record<string, number>} durations in ms by priority
 * @property {string} shortcut
 */

export class Shelf {
  #root;
  #doing;
  /** @type {Map<string, {card: Card, countdown: Countdown, toast: Toast}>} */
  #cards = new Map();
  #isSpread = false;
  /** @type {HTMLElement | null} where the keyboard was before it came here */
  #origin = null;

  #list = h("ol", { role: "list", class: "cards", part: "stack" });
  #more = h("button", { type: "button", class: "plain", part: "more", "aria-expanded": "false", on: { click: () => this.#spread() } });
  #clear = h("button", { type: "button", class: "plain", part: "clear", on: { click: () => this.#doing.clear() } });
  #foot = h("div", { class: "foot", part: "foot", hidden: true }, this.#more, this.#clear);
  #aside = h("div", { class: "aside" });
  #region = h("section", { class: "region", part: "region", tabIndex: -1, hidden: true }, this.#aside, this.#list, this.#foot);
  #status = h("div", { role: "status", class: "said" });
  #alert = h("div", { role: "alert", class: "said" });

  /** @type {Toast[]} */
  #toasts = [];
  /** @type {import("./card.js").Voice} */
  #voice;
  /** @type {Manner} */
  #manner;

  /**
   * @param {ShadowRoot} root
   * @param {import("./card.js").Doing & Handling} doing
   * @param {import("./card.js").Voice} voice
   * @param {Manner} manner
   */
  constructor(root, doing, voice, manner) {
    this.#root = root;
    this.#doing = doing;
    this.#voice = voice;
    this.#manner = manner;
    adopt(root, theme, style);
    root.replaceChildren(this.#region, this.#status, this.#alert);
    this.#region.setAttribute("aria-label", fill(voice.words.region, { key: manner.shortcut }));
    this.#clear.textContent = voice.words.closeAll;
    for (const name of ["pointerenter", "pointerleave", "focusin", "focusout"]) {
      // The new positions of the pointer and the focus are known once the event is over.
      this.#region.addEventListener(name, () => queueMicrotask(() => this.pace()));
    }
    this.#region.addEventListener("focusin", ({ relatedTarget: from }) => {
      if (from instanceof HTMLElement && !root.contains(from)) this.#origin ??= from;
    });
    this.#region.addEventListener("keydown", (event) => this.#key(event));
  }

  /** @param {Toast[]} toasts in their order @param {Partial<import("./card.js").Voice>} [voice] */
  show(toasts, voice = {}) {
    Object.assign(this.#voice, voice);
    this.#toasts = toasts;
    this.#isSpread &&= toasts.length > this.#manner.most;
    const focused = /** @type {HTMLElement | null} */ (this.#root.activeElement);
    const seen = this.#isSpread ? toasts : toasts.slice(0, this.#manner.most);
    const next = this.#neighbour(focused, seen);
    this.#drop(new Set(seen.map(({ key }) => key)));
    this.#region.hidden = toasts.length === 0 && !this.#aside.hasChildNodes();
    seen.forEach((toast, at) => this.#place(toast, at));
    this.#count(toasts.length - seen.length);
    if (focused && this.#root.activeElement !== focused) this.#refocus(focused.isConnected ? focused : next);
    this.pace();
  }

  /** Shows something above the toasts; null takes it away. @param {HTMLElement | null} element */
  aside(element) {
    const held = this.#aside.contains(this.#root.activeElement);
    this.#aside.replaceChildren(...(element ? [element] : []));
    this.#region.hidden = this.#toasts.length === 0 && !element;
    if (held) this.#refocus(this.#first());
  }

  /** Announces a text to screen readers. @param {string} text @param {boolean} isUrgent */
  say(text, isUrgent) {
    const said = isUrgent ? this.#alert : this.#status;
    said.append(h("p", { dir: "auto" }, text));
    while (said.children.length > SAID_AT_MOST) said.firstChild?.remove();
  }

  /** Lets time pass, unless the pointer or the focus is on the toasts, or the page is hidden. */
  pace() {
    const isPointed = matchMedia("(hover: hover)").matches && this.#region.matches(":hover");
    const isPaused = isPointed || this.#root.querySelector(":focus-visible") !== null || document.visibilityState === "hidden";
    for (const { countdown } of this.#cards.values()) isPaused ? countdown.pause() : countdown.run();
  }

  /** Brings the keyboard here, or back to where it came from. */
  toggle() {
    if (this.#root.activeElement) return this.#leave();
    if (this.#region.hidden) return false;
    this.#origin = focusedOf(document);
    (this.#first() ?? this.#region).focus();
    return true;
  }

  end() {
    for (const { countdown } of this.#cards.values()) countdown.pause();
    this.#root.replaceChildren();
  }

  /** @param {Toast} toast @param {number} at */
  #place(toast, at) {
    let entry = this.#cards.get(toast.key);
    if (entry?.toast !== toast) {
      entry?.countdown.pause();
      const countdown = new Countdown(this.#manner.durations[toast.priority], () => this.#doing.lapse(toast));
      entry = { card: entry?.card ?? new Card(this.#doing), countdown, toast };
      this.#cards.set(toast.key, entry);
    }
    entry.card.show(toast, this.#voice);
    const { element } = entry.card;
    if (this.#list.children[at] !== element) this.#list.insertBefore(element, this.#list.children[at] ?? null);
  }

  /** @param {Set<string>} kept */
  #drop(kept) {
    for (const [key, { card, countdown }] of this.#cards) {
      if (kept.has(key)) continue;
      countdown.pause();
      card.element.remove();
      this.#cards.delete(key);
    }
  }

  /** @param {number} hidden how many toasts are not seen */
  #count(hidden) {
    const { words, language } = this.#voice;
    this.#more.hidden = hidden === 0 && !this.#isSpread;
    this.#more.textContent = this.#isSpread ? words.fewer : fill(words.more, { n: hidden }, language);
    this.#more.setAttribute("aria-expanded", String(this.#isSpread));
    this.#foot.hidden = this.#toasts.length < 2;
  }

  #spread() {
    this.#isSpread = !this.#isSpread;
    this.show(this.#toasts);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    const at = this.#entryOf(this.#root.activeElement);
    if (at) this.#doing.close(at.toast);
    else this.#leave();
  }

  /** @param {Node | null} node */
  #entryOf(node) {
    return [...this.#cards.values()].find(({ card }) => node && card.element.contains(node));
  }

  /**
   * The control to go to when the card with the focus goes: that of the next card, otherwise of the one before.
   * @param {HTMLElement | null} focused
   * @param {Toast[]} seen
   */
  #neighbour(focused, seen) {
    const entry = this.#entryOf(focused);
    if (!entry || seen.some(({ key }) => key === entry.toast.key)) return null;
    const before = [...this.#list.children];
    const kept = [...this.#cards.values()].filter(({ toast }) => seen.some(({ key }) => key === toast.key));
    const place = before.indexOf(entry.card.element);
    const byPlace = kept.sort((a, b) => before.indexOf(a.card.element) - before.indexOf(b.card.element));
    const next = byPlace.find(({ card }) => before.indexOf(card.element) > place) ?? byPlace.at(-1);
    return next?.card.control(focused?.dataset.does) ?? null;
  }

  /** @param {HTMLElement | null} control */
  #refocus(control) {
    if (control) control.focus();
    else this.#leave();
  }

  #first() {
    return [...this.#cards.values()].find(({ card }) => card.element === this.#list.firstElementChild)?.card.control() ?? this.#aside.querySelector("button");
  }

  #leave() {
    if (this.#origin?.isConnected) this.#origin.focus();
    else /** @type {HTMLElement | null} */ (this.#root.activeElement)?.blur();
    this.#origin = null;
    return true;
  }
}

/** The element with the focus, within other elements too. @param {DocumentOrShadowRoot} root @returns {HTMLElement | null} */
function focusedOf({ activeElement }) {
  return (activeElement?.shadowRoot && focusedOf(activeElement.shadowRoot)) ?? /** @type {HTMLElement | null} */ (activeElement);
}
