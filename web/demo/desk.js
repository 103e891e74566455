// The summary of the inbox and the callbacks that are due, with their actions.

import { h, target } from "../elements/dom.js";
import { isolated } from "../elements/texts.js";
import { $, follow } from "./page.js";
import { identity } from "./session.js";

/** @typedef {import("../client/types.js").Item} Item */

const SHOWN = 6;
const TICK_MS = 30000;

const relative = new Intl.RelativeTimeFormat("en", { style: "short", numeric: "always" });

export class Desk {
  #client;
  #isAsking = false;
  #isStale = false;
  /** @type {string | null} */
  #cursor = null;
  #timer;

  /** @param {import("../client/index.js").Client} client */
  constructor(client) {
    this.#client = client;
    client.subscribe(() => client.state.cursor !== this.#cursor && this.#refresh());
    this.#timer = setInterval(() => document.visibilityState === "visible" && this.#refresh(), TICK_MS);
  }

  close() {
    clearInterval(this.#timer);
  }

  /** One request at a time; after a change meanwhile there is another one. */
  async #refresh() {
    this.#isStale = true;
    if (this.#isAsking) return;
    this.#isAsking = true;
    while (this.#isStale) {
      this.#isStale = false;
      this.#cursor = this.#client.state.cursor;
      // Without an answer the desk shows its last state: another part of the page shows the state of the connection.
      await this.#ask().catch(() => {});
    }
    this.#isAsking = false;
  }

  async #ask() {
    const [summary, due] = await Promise.all([
      this.#client.call("GET", "/api/notifications/summary", { query: { limit: 50 } }),
      this.#client.call("GET", "/api/notifications/due-callbacks"),
    ]);
    this.#showTiles(summary);
    /** @type {any[]} */
    const callbacks = due.callbacks;
    /** @type {Item[]} */
    const others = summary.notifications.filter((/** @type {Item} */ item) => !callbacks.some(({ id }) => id === item.id));
    place($("callbacks"), callbacks.slice(0, SHOWN), (callback) => this.#callback(callback));
    place($("next"), others.slice(0, SHOWN), (item) => this.#item(item));
    $("callbacks-part").hidden = callbacks.length === 0;
    $("next-part").hidden = others.length === 0;
    this.#showEmpty(callbacks.length + others.length === 0);
  }

  /** @param {any} summary */
  #showTiles({ breakdown, unreadCount, isExact }) {
    const tiles = Object.entries(breakdown).sort(([one], [other]) => weight(other) - weight(one) || one.localeCompare(other));
    $("tiles").replaceChildren(...tiles.map(([name, count]) =>
      h("li", { class: "tile", "data-tone": tone(name) }, h("b", {}, String(count)), h("span", {}, words(name)))));
    $("unread-say").textContent = `${unreadCount} unread in all${isExact ? "" : "; counted: the newest 500"}`;
  }

  /** @param {boolean} isEmpty */
  #showEmpty(isEmpty) {
    const { items, filter } = this.#client.state;
    const isFirst = isEmpty && items.length === 0 && Object.keys(filter).length === 0;
    $("quiet").hidden = !isEmpty || isFirst;
    $("first").hidden = !isFirst;
    $("first-how").hidden = !identity().publishes;
  }

  /** @param {any} callback */
  #callback({ id, title, contact, campaign, dueAt, overdue, actionUrl }) {
    return row({ tone: overdue ? "overdue" : "due", title, actionUrl, actionLabel: "Call now" }, [
      [contact?.name, contact?.number, campaign].filter(Boolean).map((each) => isolated(String(each))).join(" · "),
      overdue ? `${this.#span(dueAt)} overdue` : `Due ${this.#inTime(dueAt)}`,
    ], [
      this.#button("I take it", title, () => this.#client.acknowledge(id)),
      this.#button("Done", title, () => this.#client.done(id)),
    ]);
  }

  /** @param {Item} item */
  #item(item) {
    const { id, title, message, createdAt, dueAt, dueState, readAt } = item;
    const when = dueAt ? (dueState === "overdue" ? `${this.#span(dueAt)} overdue` : `Due ${this.#inTime(dueAt)}`) : this.#inTime(createdAt);
    const about = item.count ? `${item.count} on this thread. ${message ?? ""}` : message;
    const urgency = item.priority === "critical" || item.priority === "high" ? words(item.priority) : null;
    return row({ ...item, tone: item.category === "missedCalls" ? "missed" : item.priority }, [about, [urgency, when].filter(Boolean).join(" · ")], [
      !readAt && this.#button("Mark read", title, () => this.#client.read(id)),
    ]);
  }

  /** @param {string} time */
  #inTime(time) {
    const minutes = Math.round((Date.parse(time) - this.#client.now()) / 60000);
    if (minutes === 0) return "now";
    return Math.abs(minutes) < 60 ? relative.format(minutes, "minute") : relative.format(Math.trunc(minutes / 60), "hour");
  }

  /** @param {string} time */
  #span(time) {
    const minutes = Math.max(0, Math.round((this.#client.now() - Date.parse(time)) / 60000));
    return minutes < 60 ? `${minutes}m` : `${Math.trunc(minutes / 60)}h`;
  }

  /** @param {string} label @param {string} about @param {() => Promise<void>} action */
  #button(label, about, action) {
    // The client reports a refusal by its event `problem`.
    const click = () => action().catch(() => {});
    return h("button", { type: "button", "aria-label": `${label}: ${about}`, on: { click } }, label);
  }
}

/**
 * @param {any} what
 * @param {(string | null | undefined)[]} texts
 * @param {(HTMLElement | false)[]} buttons
 */
function row({ tone, title, actionUrl, actionLabel = "Open" }, [about, when], buttons) {
  const url = target(actionUrl);
  const link = url && h("button", { type: "button", class: "link", "aria-label": `${actionLabel}: ${title}`, on: { click: () => follow(url) } }, actionLabel);
  return h("li", { class: "row", "data-tone": tone },
    h("div", { class: "row-text" },
      h("h4", { dir: "auto" }, title),
      about?.trim() && h("p", { dir: "auto" }, about)),
    h("span", { class: "when" }, when ?? ""),
    h("div", { class: "row-actions" }, link, ...buttons));
}

/**
 * Shows one row for each, and leaves rows that are as before. The element with the focus keeps it, or its successor gets it.
 * @template {{id: string}} Each
 * @param {HTMLElement} list
 * @param {Each[]} all
 * @param {(each: Each) => HTMLElement} build
 */
function place(list, all, build) {
  const before = /** @type {HTMLElement[]} */ ([...list.children]);
  const focused = before.findIndex((row) => row.contains(document.activeElement));
  const rows = all.map((each) => {
    const made = build(each);
    made.dataset.id = each.id;
    return before.find((row) => row.isEqualNode(made)) ?? made;
  });
  for (const row of before) if (!rows.includes(row)) row.remove();
  rows.forEach((row, at) => list.children[at] !== row && list.insertBefore(row, list.children[at] ?? null));
  if (focused < 0 || list.contains(document.activeElement)) return;
  (rows[Math.min(focused, rows.length - 1)]?.querySelector("button") ?? $("desk-title")).focus();
}

/** `overdueCallbacks` to `Overdue callbacks`. @param {string} name */
function words(name) {
  const text = name.replace(/([A-Z])/g, " $1").toLowerCase();
  return text[0].toUpperCase() + text.slice(1);
}

/** @param {string} name */
function tone(name) {
  if (name.startsWith("overdue")) return "overdue";
  return { callbacks: "due", missedCalls: "missed" }[name] ?? "plain";
}

/** @param {string} name */
const weight = (name) => ["plain", "missed", "due", "overdue"].indexOf(tone(name));
