// Actions on items. The client shows each at once, and reports a refusal.

import { target } from "../dom.js";

/** @typedef {import("../../client/index.js").Client} Client */
/** @typedef {import("../../client/types.js").Item} Item */
/** @typedef {import("./row.js").Row} Row */

/** Whether the list leaves out items that are not read. @param {import("../../client/types.js").Filter} filter */
export const isNarrowed = ({ category, priority, kind, q }) => Boolean(category || priority || kind || q);

/**
 * The reports to the bell.
 * @typedef {object} Telling
 * @property {(item: Item) => boolean} open an item is opened; answers whether the page left that to the bell
 * @property {(text: string) => void} say something was done
 * @property {(begun: number) => void} done something that was begun then, by `performance.now`, has worked
 * @property {(problem: any) => void} fail a refusal that the client does not report
 */

export class Actions {
  #locale;
  #snoozeMenu;
  #telling;
  /** @type {Client | null} */
  client = null;

  /** @param {import("../locale.js").Locale} locale @param {import("./snooze.js").SnoozeMenu} snoozeMenu @param {Telling} telling */
  constructor(locale, snoozeMenu, telling) {
    this.#locale = locale;
    this.#snoozeMenu = snoozeMenu;
    this.#telling = telling;
  }

  /** @param {string} name @param {Row} row @param {Event} event */
  do(name, row, event) {
    const { client } = this;
    const { item } = row;
    const { words } = this.#locale;
    if (!client) return;
    if (name === "open") this.#open(client, row, event);
    else if (name === "snooze") this.#snoozeMenu.ask(row.snooze, client, Date.parse(item.expiresAt), (until) => this.#snooze(client, item, until));
    else if (name === "archive") this.#await(client.archive(item.id), words.archived);
    else if (name === "acknowledge") this.#await(client.acknowledge(item.id), words.acknowledged);
    else if (name === "finish") this.#await(client.done(item.id), words.done);
    else if (name === "read" && item.readAt) this.#await(client.unread(item.id), words.isReread);
    else if (name === "read") this.#await(client.read(item.id), words.isRead);
  }

  /** Marks as read all items of the list, even those that are not loaded. */
  readAll() {
    const { client } = this;
    if (!client) return;
    const { cursor, filter } = client.state;
    const { allRead } = this.#locale.words;
    const { unreadOnly, ...narrow } = filter;
    if (!isNarrowed(filter)) return this.#await(client.readAll(), allRead);
    const body = { filter: { ...narrow, unread: true }, before: cursor, action: "read" };
    const work = client.call("POST", "/api/notifications/bulk", { body });
    work.catch(this.#telling.fail);
    this.#await(work, allRead);
  }

  /** @param {Client} client @param {Row} row @param {Event} event */
  #open(client, row, event) {
    const { item } = row;
    if (!item.readAt) this.#await(client.read(item.id));
    const { ctrlKey, metaKey, shiftKey } = /** @type {MouseEvent} */ (event);
    // A click with such a key asks the browser for another tab or window.
    if (ctrlKey || metaKey || shiftKey) return;
    event.preventDefault();
    if (this.#telling.open(item) && !target(item.actionUrl)) row.expand();
  }

  /** @param {Client} client @param {Item} item @param {number} until */
  #snooze(client, item, until) {
    const time = this.#locale.upcoming(until, client.now());
    this.#await(client.snooze(item.id, new Date(until)), this.#locale.fill(this.#locale.words.snoozed, { time }));
  }

  /** Announces when it is done; the client reports a refusal by its event `problem`. @param {Promise<any>} work @param {string} [said] */
  #await(work, said) {
    const begun = performance.now();
    const done = () => {
      this.#telling.done(begun);
      if (said) this.#telling.say(said);
    };
    work.then(done, () => {});
  }
}
