// The toasts and their order. Knows neither page nor time.

/** @typedef {import("../../client/types.js").Item} Item */
/** @typedef {import("../../client/types.js").Priority} Priority */

/**
 * One item, or all items of a summary, the first of them on top.
 * @typedef {object} Toast
 * @property {string} key
 * @property {readonly Item[]} items
 * @property {Priority} priority of the first
 * @property {number} seq of the newest
 */

export const RANK = { critical: 3, high: 2, medium: 1, low: 0 };
/** The summary's key; no item has it for an id. */
const SUMMARY = "summary";
// More than these would only be played through long after they came. The inbox has them all.
const WAITING_AT_MOST = 20;

export class Stack {
  /** @type {Map<string, Toast>} */
  #toasts = new Map();

  /** All toasts, the most important on top. @returns {Toast[]} */
  get list() {
    return [...this.#toasts.values()].sort(order);
  }

  /** Shows an item by itself, instead of its earlier toast. @param {Item} item */
  put(item) {
    this.remove([item.id]);
    this.#set(item.id, [item]);
    const waiting = this.list.filter(({ key, priority }) => key !== SUMMARY && priority !== "critical");
    waiting.slice(WAITING_AT_MOST).forEach(({ key }) => this.#toasts.delete(key));
  }

  /** Shows items as one toast, together with those of an earlier summary. @param {readonly Item[]} items */
  gather(items) {
    const earlier = this.#toasts.get(SUMMARY)?.items ?? [];
    const all = new Map([...earlier, ...items].map((item) => [item.id, item]));
    this.remove([...all.keys()]);
    if (all.size === 1) all.forEach((item) => this.put(item));
    else this.#set(SUMMARY, [...all.values()]);
  }

  /** Shows each item of a toast by itself. @param {string} key */
  spread(key) {
    const items = this.#toasts.get(key)?.items ?? [];
    this.#toasts.delete(key);
    items.forEach((item) => this.put(item));
  }

  /** Takes items away, from a summary too. @param {readonly string[]} ids */
  remove(ids) {
    for (const { key, items } of [...this.#toasts.values()]) {
      const left = items.filter(({ id }) => !ids.includes(id));
      if (left.length < items.length) this.#set(key, left);
    }
  }

  clear() {
    this.#toasts.clear();
  }

  /** @param {string} key @param {readonly Item[]} items */
  #set(key, items) {
    const sorted = [...items].sort(order);
    const seq = Math.max(...items.map((item) => item.seq));
    if (sorted.length === 0) this.#toasts.delete(key);
    else this.#toasts.set(key, { key, items: sorted, priority: sorted[0].priority, seq });
  }
}

/** @param {{priority: Priority, seq: number}} a @param {{priority: Priority, seq: number}} b */
const order = (a, b) => RANK[b.priority] - RANK[a.priority] || b.seq - a.seq;
