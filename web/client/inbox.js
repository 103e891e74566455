// The items of the list: the state of the server, with the pending actions of this page over it. Knows no network.

import { epochOf, seqOf } from "./cursor.js";

/**
 * An action of this page that no event has confirmed yet.
 * @typedef {object} Step
 * @property {(item: Item) => Partial<Item> | null} patch how it alters an item; null: not at all
 * @property {boolean} [all] whether it holds for every item, loaded or not
 * @property {string | null} until the cursor from which on the server's state includes it
 */

/** @typedef {import("./types.js").Item} Item */

export class Inbox {
  /** @type {Map<string, Item>} */
  #items = new Map();
  /** @type {Set<Step>} */
  #steps = new Set();
  #unread = 0;
  #stamp;

  /** @type {string | null} the position in the stream that the items show */
  position = null;
  /** @type {string | null} */
  nextPage = null;
  /** @type {import("./types.js").Filter} */
  filter = {};

  /** @param {() => string} stamp the time */
  constructor(stamp) {
    this.#stamp = stamp;
  }

  /** @param {any} page an answer of the list @param {boolean} [older] whether to add it to the loaded items */
  load(page, older = false) {
    if (!older) {
      this.#items.clear();
      this.position = page.cursor;
      this.#unread = page.unread;
    }
    for (const item of page.notifications) this.#items.set(item.id, item);
    this.nextPage = page.hasMore ? page.nextPage : null;
    this.#forget();
  }

  /** Answers whether the list has to be loaded again: an item that became unread may belong to it and be missing. @param {import("./types.js").Change} change */
  apply({ to, events }) {
    let isShort = false;
    for (const { name, data } of events) {
      if (name === "notification") this.#items.set(data.id, data);
      for (const id of data.ids ?? []) {
        isShort ||= Boolean(this.filter.unreadOnly) && isListed(data) && !data.read && !this.#items.has(id);
        this.#alter(id, data);
      }
      this.#unread = data.unread;
    }
    this.position = to;
    this.#forget();
    return isShort;
  }

  /** Shows a step as if it were done. @param {Step} step */
  begin(step) {
    this.#steps.add(step);
  }

  /** @param {Step} step @param {string | null} cursor where the server's word includes it; null: it was refused */
  settle(step, cursor) {
    step.until = cursor;
    if (cursor === null) this.#steps.delete(step);
    this.#forget();
  }

  get size() {
    return this.#items.size;
  }

  /** The state to show. @returns {{items: Item[], unread: number}} */
  view() {
    const steps = [...this.#steps];
    // Items that are not loaded are older, so an action on all leaves only the items that came after it.
    const isAll = steps.some(({ all }) => all);
    let unread = isAll ? 0 : this.#unread;
    const items = [];
    for (const stored of this.#items.values()) {
      const item = steps.reduce((item, { patch }) => ({ ...item, ...patch(item) }), stored);
      unread += Number(counts(item)) - Number(!isAll && counts(stored));
      if (isListed(item) && this.#matches(item)) items.push(item);
    }
    return { items: items.sort((a, b) => b.seq - a.seq), unread: Math.max(0, unread) };
  }

  /** @param {string} id @param {any} state */
  #alter(id, { read, seen, archived, deleted, snoozedUntil, dueState }) {
    const item = this.#items.get(id);
    if (!item) return;
    if (deleted) return void this.#items.delete(id);
    /** @param {boolean} is @param {string | null} since */
    const stamp = (is, since) => (is ? (since ?? this.#stamp()) : null);
    this.#items.set(id, {
      ...item,
      readAt: stamp(read, item.readAt),
      seenAt: stamp(seen, item.seenAt),
      archivedAt: stamp(archived, item.archivedAt),
      snoozedUntil: snoozedUntil ?? undefined,
      dueState: dueState ?? item.dueState,
    });
  }

  /** Lets go of the steps that the server's word includes by now. */
  #forget() {
    for (const step of this.#steps) {
      const told = epochOf(step.until) !== epochOf(this.position) || seqOf(step.until) <= seqOf(this.position);
      if (step.until && told) this.#steps.delete(step);
    }
  }

  /** @param {Item} item */
  #matches(item) {
    const { unreadOnly, category, priority, kind, q } = this.filter;
    const text = `${item.title} ${item.message ?? ""}`.toLowerCase();
    return (
      !(unreadOnly && item.readAt) &&
      (!category || item.category === category) &&
      (!priority || item.priority === priority) &&
      (!kind || item.kind === kind) &&
      (!q || q.toLowerCase().split(/\s+/).every((word) => text.includes(word)))
    );
  }
}

/** @param {any} item or the state of items */
const isListed = (item) => !item.archivedAt && !item.snoozedUntil && !item.archived && !item.deleted;

/** @param {Item} item */
const counts = (item) => isListed(item) && !item.readAt;
