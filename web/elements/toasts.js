// <tidings-toasts>: new arrivals for a moment, critical ones until the user closes them.
//
// Attributes: `placement` (bottom-right, or any of top, bottom, left and right), `max` (toasts seen at once), `shortcut` (the key that
// brings the keyboard here). Property `durations`: how long each priority is seen, in ms.

import { epochOf } from "../client/cursor.js";
import { Desktop, askPermission } from "./desktop.js";
import { onWish, setWish, wished } from "./device.js";
import { ClientElement, define, listen } from "./element.js";
import { openItem } from "./open.js";
import { Sound, isLoud } from "./sound.js";
import { fill, texts } from "./texts.js";
import { beSeen } from "./toasts/claims.js";
import { prompt } from "./toasts/prompt.js";
import { Shelf } from "./toasts/shelf.js";
import { Stack } from "./toasts/stack.js";
import { Tabs } from "./toasts/tabs.js";

/**
 * @typedef {import("../client/index.js").Client} Client
 * @typedef {import("../client/types.js").Item} Item
 * @typedef {import("./toasts/stack.js").Toast} Toast
 * @typedef {import("./globals.js").OpenItemEvent} OpenItemEvent brings the element's name and events to TypeScript
 */

export class TidingsToasts extends ClientElement {
  durations = { low: 5000, medium: 7000, high: 12000, critical: Infinity };

  #root = this.attachShadow({ mode: "open" });
  #stack = new Stack();
  /** @type {Client | null} whose toasts they are */
  #owner = null;
  /** @type {Map<string, Item>} items that came while there was no connection, until all are there */
  #missed = new Map();
  /** @type {Set<string>} items that came while the page was hidden */
  #unseen = new Set();
  /** @type {Shelf | null} */
  #shelf = null;
  /** @type {Tabs | null} */
  #tabs = null;
  /** @type {Desktop | null} */
  #desktop = null;
  /** @type {Sound | null} */
  #sound = null;
  #hasAsked = false;

  /** @param {Client} client */
  follow(client) {
    if (client !== this.#owner) this.#forget();
    this.#owner = client;
    const words = texts("toasts", this.language);
    const doing = this.#doing(client);
    const shelf = (this.#shelf = new Shelf(this.#root, doing, { words, language: this.language, now: () => client.now(), isLoud: isLoud() }, this));
    const desktop = (this.#desktop = new Desktop({ ...doing, ask: () => this.#ask() }, words, this.language));
    const sound = (this.#sound = new Sound());
    const tabs = (this.#tabs = new Tabs(client, (ids, isLapsed) => (!isLapsed || document.visibilityState === "hidden") && this.#remove(ids)));
    this.#render();
    return [
      client.on("notification", ({ item, missed }) => (missed ? this.#missed.set(item.id, item) : this.#arrive([item]))),
      client.on("caughtUp", () => this.#catchUp()),
      client.on("state", (change) => isOver(change) && this.#remove(change.ids)),
      client.on("reset", () => this.#recheck(client)),
      listen(document, "visibilitychange", () => this.#look()),
      listen(document, "keydown", (event) => this.#key(event)),
      onWish(() => this.#heed()),
      beSeen(),
      () => this.#end([tabs, desktop, sound, shelf]),
    ];
  }

  /** The toasts of another user are not for this one. */
  #forget() {
    this.#stack.clear();
    this.#missed.clear();
    this.#unseen.clear();
  }

  /** @param {{end: () => void}[]} parts */
  #end(parts) {
    parts.forEach((part) => part.end());
    this.#shelf = this.#tabs = this.#desktop = this.#sound = null;
  }

  /** How many toasts are seen at once. */
  get most() {
    return Number(this.getAttribute("max")) || 4;
  }

  /** The key that brings the keyboard here, and back. */
  get shortcut() {
    return this.getAttribute("shortcut") ?? "F6";
  }

  /** Names an arrival. @param {Item} item */
  #placeOf({ seq }) {
    return `${epochOf(this.#owner?.state.cursor ?? null)}.${seq}`;
  }

  /** @param {Client} client */
  #doing(client) {
    /** @param {Item} item @param {Promise<any>} done a failed action leaves it news */
    const settle = (item, done) => {
      this.#close([item]);
      done.catch(() => client === this.client && this.#arrive([item]));
    };
    const read = (/** @type {Item} */ item) => settle(item, client.read(item.id));
    return {
      read,
      acknowledge: (/** @type {Item} */ item) => settle(item, client.acknowledge(item.id)),
      open: (/** @type {Item} */ item) => {
        read(item);
        openItem(this, item);
      },
      spread: (/** @type {Toast} */ { key }) => {
        this.#stack.spread(key);
        this.#render();
      },
      close: (/** @type {Toast} */ { items }) => this.#close(items),
      lapse: (/** @type {Toast} */ { items }) => this.#close(items, true),
      clear: () => this.#close(this.#stack.list.flatMap(({ items }) => items)),
      hush: () => setWish("sound", "off"),
      placeOf: (/** @type {Item} */ item) => this.#placeOf(item),
    };
  }

  /** One is a toast of its own; of several that were missed there is one in all. @param {Item[]} items */
  #arrive(items) {
    this.#remove(items.filter((item) => !isNews(item)).map(({ id }) => id));
    const news = items.filter(isNews);
    const toasts = news.filter(({ channels }) => channels.includes("toast"));
    this.#desktop?.offer(news);
    if (toasts.length === 0) return;
    if (toasts.length === 1) this.#stack.put(toasts[0]);
    else this.#stack.gather(toasts);
    if (document.visibilityState === "hidden") toasts.forEach(({ id }) => this.#unseen.add(id));
    this.#render();
    this.#announce(toasts);
  }

  #catchUp() {
    const items = [...this.#missed.values()];
    this.#missed.clear();
    this.#arrive(items);
  }

  /** Announces arrivals. @param {Item[]} items */
  #announce(items) {
    const { priorities, missed } = texts("toasts", this.language);
    const [{ priority, title, message }] = items;
    const critical = items.find((item) => item.priority === "critical");
    const words = items.length === 1 ? [priorities[priority], title, message] : [fill(missed, { n: items.length }, this.language)];
    this.#shelf?.say(words.filter(Boolean).join(". "), critical !== undefined);
    if (critical) this.#sound?.play(this.#placeOf(critical));
  }

  /** The page is seen again, or not any more: many that came meanwhile become one. */
  #look() {
    if (document.visibilityState !== "hidden") {
      const items = this.#stack.list.flatMap((toast) => toast.items);
      const came = items.filter(({ id, priority }) => this.#unseen.has(id) && priority !== "critical");
      if (came.length > 2) this.#stack.gather(came);
      this.#unseen.clear();
    }
    this.#render();
  }

  /** After a reset no event has shown what was read meanwhile. @param {Client} client */
  async #recheck(client) {
    const listed = new Map(client.state.items.map((item) => [item.id, item]));
    for (const item of this.#stack.list.flatMap(({ items }) => items)) {
      const path = `/api/notifications/${encodeURIComponent(item.id)}`;
      const now = listed.get(item.id) ?? (await client.call("GET", path).catch(({ status }) => (status === 404 ? null : item)));
      if (!now || !isNews(now)) this.#remove([item.id]);
    }
  }

  /** @param {readonly Item[]} items @param {boolean} [isLapsed] */
  #close(items, isLapsed = false) {
    const ids = items.map(({ id }) => id);
    this.#remove(ids);
    this.#tabs?.tell(ids, isLapsed);
  }

  /** @param {readonly string[]} ids */
  #remove(ids) {
    ids.forEach((id) => this.#missed.delete(id));
    this.#stack.remove(ids);
    this.#desktop?.close(ids);
    this.#render();
  }

  /** Asks, once on a page, whether the browser may be asked to show notifications. */
  #ask() {
    if (this.#hasAsked) return;
    this.#hasAsked = true;
    const words = texts("toasts", this.language);
    const done = () => this.#shelf?.aside(null);
    const allow = () => askPermission().finally(done);
    this.#shelf?.aside(prompt(words, { allow, later: () => setWish("desktop", "off") }));
    this.#shelf?.say(words.askTitle, false);
  }

  /** A choice for this browser has changed. */
  #heed() {
    if (wished("desktop")) this.#shelf?.aside(null);
    this.#shelf?.show(this.#stack.list, { isLoud: isLoud() });
  }

  #render() {
    this.#shelf?.show(this.#stack.list);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const isPlain = !(event.ctrlKey || event.altKey || event.metaKey || event.shiftKey);
    if (event.key === this.shortcut && isPlain && this.#shelf?.toggle()) event.preventDefault();
  }
}

/** How a due item was settled. */
const OVER = ["acknowledged", "done", "cancelled"];

/** @param {Item} item */
const isNews = ({ readAt, archivedAt, snoozedUntil, dueState }) => !readAt && !archivedAt && !snoozedUntil && !OVER.includes(dueState ?? "");

/** Whether the items need not be shown any more. @param {any} change */
const isOver = ({ read, archived, deleted, snoozedUntil, dueState }) => read || archived || deleted || snoozedUntil || OVER.includes(dueState);

define("tidings-toasts", TidingsToasts);
