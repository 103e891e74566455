// One resumable stream: a ticket per connect, a cursor that outlives connections, a verdict after each.
// Knows nothing of the page: it reports through the callbacks it was given.

import { call } from "./api.js";

const EVENTS = ["hello", "notification", "state", "subscription", "settings", "signal", "heartbeat", "expiring", "bye"];
const BACKOFF_FLOOR_MS = 1000;
const BACKOFF_CEILING_MS = 30000;
const HEARTBEAT_MS = 20000;
// A connection that lived this long was a good one: the next failure starts the backoff anew.
const STABLE_MS = 10000;

export class Stream {
  #source = null;
  #generation = 0;
  #attempt = 0;
  #openedAt = 0;
  #heartbeatMs = HEARTBEAT_MS;
  #target = null;
  #watchdog;
  #retry;
  #on;

  /** The last position that was handed on; survives reconnects. */
  cursor = null;
  connectionId = null;
  state = "offline";
  /** When set, the next connect loads the list first. */
  needsList = true;

  /**
   * `on.state(state, retryMs, error)`: connecting, catchingUp, live, offline or expired.
   * `on.list()`: loads the list and resolves with its cursor. `on.frame(name, data, id, raw)`: each event.
   */
  constructor(on) {
    this.#on = on;
  }

  get open() {
    return this.#source !== null;
  }

  /** Connects now, whatever was under way. */
  async start() {
    this.#drop();
    const generation = this.#generation;
    this.#become("connecting");
    try {
      if (this.needsList) {
        const cursor = await this.#on.list();
        if (generation !== this.#generation) return;
        this.cursor = cursor;
        this.needsList = false;
      }
      // A ticket works once, so each connect takes its own; the token itself never enters a URL.
      const { ticket } = await call("POST", "/api/stream-tickets");
      if (generation === this.#generation) this.#openWith(ticket);
    } catch (error) {
      if (generation !== this.#generation) return;
      // No wait makes a refused token good; anything else may pass.
      if (error.status === 401) this.stop("expired");
      else if (error.status === 403) this.stop("offline", error);
      else this.#later(error.retryMs, error);
    }
  }

  stop(state = "offline", error) {
    this.#drop();
    this.#become(state, 0, error);
  }

  /** Starts over with the list and a new cursor. */
  restart() {
    this.needsList = true;
    this.cursor = null;
    this.#attempt = 0;
    return this.start();
  }

  /** Skips what is left of a wait; does nothing when connected or expired. */
  hurry() {
    if (this.#retry !== undefined) this.start();
  }

  #openWith(ticket) {
    const query = new URLSearchParams({ ticket });
    if (this.cursor) query.set("cursor", this.cursor);
    const source = new EventSource(`/api/notifications/stream?${query}`);
    this.#source = source;
    this.#openedAt = Date.now();
    for (const name of EVENTS) {
      source.addEventListener(name, (event) => {
        if (source === this.#source) this.#receive(name, event);
      });
    }
    // EventSource would come back by itself, but with the ticket that is used up.
    source.addEventListener("error", () => {
      if (source === this.#source) this.#later();
    });
    this.#watch();
  }

  #receive(name, event) {
    this.#watch();
    let data;
    try {
      data = JSON.parse(event.data);
    } catch {
      data = {};
    }
    if (name === "hello") this.#greet(data);
    // The hello of a resumed stream carries no id: our own cursor stands until replayed frames move it.
    if (event.lastEventId) this.cursor = event.lastEventId;
    this.#on.frame(name, data, event.lastEventId, event.data);
    if (name === "bye") this.#later(data.retryMs);
    else if (this.state === "catchingUp" && (name === "heartbeat" || this.cursor === this.#target)) this.#become("live");
  }

  #greet(hello) {
    this.connectionId = hello.connectionId ?? null;
    if (hello.heartbeatMs > 0) this.#heartbeatMs = hello.heartbeatMs;
    this.#watch();
    if (hello.verdict === "resumed") this.#target = hello.cursor;
    else this.cursor = hello.cursor ?? this.cursor;
    this.#become(hello.verdict === "resumed" && hello.missed > 0 ? "catchingUp" : "live");
  }

  /** A path that died without a word is noticed by the heartbeats that stay away. */
  #watch() {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#later(), this.#heartbeatMs * 2.5);
  }

  #later(retryMs, error) {
    if (this.#openedAt && Date.now() - this.#openedAt > STABLE_MS) this.#attempt = 0;
    this.#drop();
    // Full jitter: clients that fell together do not come back together. The server spreads its own retryMs.
    const ceiling = Math.min(BACKOFF_CEILING_MS, BACKOFF_FLOOR_MS * 2 ** this.#attempt);
    const wait = retryMs >= 0 ? retryMs : Math.random() * ceiling;
    this.#attempt = Math.min(this.#attempt + 1, 10);
    this.#retry = setTimeout(() => this.start(), wait);
    this.#become("offline", wait, error);
  }

  #drop() {
    this.#generation += 1;
    clearTimeout(this.#watchdog);
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#source?.close();
    this.#source = null;
    this.#openedAt = 0;
    this.#target = null;
    this.connectionId = null;
  }

  #become(state, retryMs, error) {
    this.state = state;
    this.#on.state(state, retryMs, error);
  }
}
