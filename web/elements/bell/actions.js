// What is done to items. The client shows it at once, and tells of what was refused.

import { target } from "../dom.js";

/** @typedef {import("../../client/index.js").Client} Client */
/** @typedef {import("../../client/types.js").Item} Item */
/** @typedef {import("./row.js").Row} Row */

/**
 * What the bell is told.
 * @typedef {object} Telling
 * @property {(item: Item) => boolean} open an item is opened; answers whether the page left that to the bell
 * @property {(text: string) => void} say something was done
 * @property {(problem: any) => void} fail something was refused that the client does not tell of
 */

export class Actions {
  #locale;
  #snoozeMenu;
  #telling;
  /** @type {Client | null} */
  client = null;

  /** @param {import("./locale.js").Locale} locale @param {import("./snooze.js").SnoozeMenu} snoozeMenu @param {Telling} telling */
  constructor(locale, snoozeMenu, telling) {
    this.#locale = locale;
    this.#snoozeMenu = snoozeMenu;
    this.#telling = telling;
  }

  /** @param {string} name @param {Row} row @param {Event} event */
  do(name, row, event) {
    const { client } = this;
    const { item } = row;
    if (!client) return;
    if (name === "open") this.#open(client, row, event);
    else if (name === "read") quietly(item.readAt ? client.unread(item.id) : client.read(item.id));
    else if (name === "acknowledge") quietly(client.acknowledge(item.id));
    else if (name === "finish") quietly(client.done(item.id));
    else if (name === "archive") quietly(client.archive(item.id).then(() => this.#telling.say(this.#locale.words.archived)));
    else if (name === "snooze") this.#snoozeMenu.ask(row.snooze, Date.parse(item.expiresAt), (until) => this.#snooze(client, item, until));
  }

  /** Marks as read what is listed, or would be, down to the end of the list. */
  readAll() {
    const { client } = this;
    if (!client) return;
    const { category, priority } = client.state.filter;
    const said = () => this.#telling.say(this.#locale.words.allRead);
    if (!category && !priority) return quietly(client.readAll().then(said));
    const body = { filter: { category, priority, unread: true }, before: client.state.cursor, action: "read" };
    client.call("POST", "/api/notifications/bulk", { body }).then(said, this.#telling.fail);
  }

  /** @param {Client} client @param {Row} row @param {Event} event */
  #open(client, row, event) {
    const { item } = row;
    if (!item.readAt) quietly(client.read(item.id));
    const { ctrlKey, metaKey, shiftKey } = /** @type {MouseEvent} */ (event);
    // Who holds such a key asks the browser for another tab or window.
    if (ctrlKey || metaKey || shiftKey) return;
    event.preventDefault();
    if (this.#telling.open(item) && !target(item.actionUrl)) row.expand();
  }

  /** @param {Client} client @param {Item} item @param {number} until */
  #snooze(client, item, until) {
    const time = this.#locale.upcoming(until, Date.now());
    const said = () => this.#telling.say(this.#locale.fill(this.#locale.words.snoozed, { time }));
    quietly(client.snooze(item.id, new Date(until)).then(said));
  }
}

/** What the client refuses it tells of by its event `problem`. @param {Promise<any>} work */
function quietly(work) {
  work.catch(() => {});
}
