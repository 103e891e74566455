// The publishes of this page and their arrivals: the proof of the guarantees. Knows no page.

import { epochOf } from "../client/cursor.js";

/**
 * Something that this page published to its own user.
 * @typedef {object} Publication
 * @property {string | null} id known from the answer on
 * @property {string | null} thread
 * @property {number} sent when, by the ledger's own clock
 * @property {number} stored when the answer came; infinite before, and for a scheduled one
 */

/** @typedef {import("../client/types.js").Item} Item */

/** Arrivals that are remembered, to know one that comes twice. */
const REMEMBERED = 5000;

export class Ledger {
  /** @type {Set<Publication>} those that have not arrived, in the order in which they were sent */
  #open = new Set();
  /** @type {Set<string>} the arrivals: a position in the stream is one arrival */
  #heard = new Set();
  /** @type {Set<string>} items that arrived while answers were under way: the stream may be faster than an answer */
  #early = new Set();
  /** @type {Map<string, number>} how many notifications each thread's item was seen to hold */
  #counts = new Map();
  #clock = 0;
  /** When the newest arrival was sent. */
  #reached = 0;

  published = 0;
  arrived = 0;
  twice = 0;

  /** @param {string | null} thread @returns {Publication} */
  send(thread) {
    const publication = { id: null, thread, sent: ++this.#clock, stored: Infinity };
    this.#open.add(publication);
    return publication;
  }

  /**
   * The server stored it.
   * @param {Publication} publication
   * @param {string} id
   * @param {boolean} waits whether for its time
   */
  acknowledge(publication, id, waits) {
    publication.id = id;
    publication.stored = waits ? Infinity : ++this.#clock;
    this.published++;
    // A thread's was counted on its arrival, when it was not known to be stored.
    if (!this.#open.has(publication)) this.arrived++;
    else if (this.#early.has(id)) this.#settle(publication);
    this.#tidy();
  }

  /** Nothing new was stored. @param {Publication} publication */
  withdraw(publication) {
    this.#open.delete(publication);
    this.#tidy();
  }

  /** @param {Item} item @param {string | null} cursor */
  arrive(item, cursor) {
    const place = `${epochOf(cursor)}.${item.seq}`;
    if (this.#heard.has(place)) this.twice++;
    this.#heard.add(place);
    if (this.#heard.size > REMEMBERED) this.#heard.delete([...this.#heard][0]);
    this.include(item);
  }

  /** The item is there, by an arrival or in a list. @param {Item} item */
  include(item) {
    this.#early.add(item.id);
    if (item.threadKey) this.#grow(item.threadKey, item.count ?? 1);
    else this.#settleAll(({ id }) => id === item.id);
    this.#tidy();
  }

  /** Items were changed before they were shown: they are accounted for. @param {string[]} ids */
  mention(ids) {
    this.#settleAll(({ id }) => id !== null && ids.includes(id));
  }

  /** How many the stream has passed by: a publish that was stored before another was sent comes before it. */
  get missed() {
    return [...this.#open].filter(({ stored }) => stored < this.#reached).length;
  }

  /** How many are scheduled. */
  get waiting() {
    return [...this.#open].filter(({ id, stored }) => id !== null && stored === Infinity).length;
  }

  /** A thread's item keeps the first one's id and counts the others. @param {string} thread @param {number} count */
  #grow(thread, count) {
    const before = this.#counts.get(thread) ?? 0;
    this.#counts.set(thread, count);
    const gained = count >= before ? count - before : count;
    [...this.#open].filter((each) => each.thread === thread).slice(0, gained).forEach((each) => this.#settle(each));
  }

  /** @param {(publication: Publication) => boolean} which */
  #settleAll(which) {
    [...this.#open].filter(which).forEach((each) => this.#settle(each));
  }

  /** @param {Publication} publication */
  #settle(publication) {
    this.#open.delete(publication);
    this.#reached = Math.max(this.#reached, publication.sent);
    if (publication.id !== null) this.arrived++;
  }

  #tidy() {
    if (![...this.#open].some(({ id }) => id === null)) this.#early.clear();
  }
}
