// One connection to the server that reconnects after each failure, and reports its events as whole changes of the log.

import { Problem, isRefusal } from "./api.js";
import { seqOf } from "./cursor.js";
import { Pause, Watch, backoff } from "./pace.js";
import { polling } from "./polling.js";
import { sse } from "./sse.js";

const TRANSPORTS = { auto: sse, sse, websocket, polling };
const HEARTBEAT_MS = 20000;
const HELLO_MS = 5000;
// For so long streams are not tried again where one was held back.
const POLLING_MS = 300000;
// A connection that lived this long was a good one: the next failure restarts the backoff.
const STABLE_MS = 10000;
const LOGGED = new Set(["notification", "state", "subscription", "settings"]);

/** The transport that few ask for is fetched when one does. @type {typeof sse} */
async function* websocket(...given) {
  yield* (await import("./websocket.js")).websocket(...given);
}

const HELD_BACK = new Problem(0, "Nothing comes through the stream");

/**
 * @typedef {object} Hearing the reports of a connection
 * @property {(status: import("./types.js").Status) => void} status
 * @property {(change: import("./types.js").Change) => void} change
 * @property {(frame: import("./types.js").Frame) => void} frame every event as it comes
 */

export class Line {
  #api;
  #options;
  #hearing;
  #attempt = 0;
  /** By `performance.now`, as all waits here: the computer's clock may be set meanwhile. */
  #pollUntil = 0;
  /** @type {import("./types.js").Frame[]} */
  #pending = [];
  /** @type {number | null} the seq up to which it catches up */
  #target = null;
  /** @type {number | undefined} */
  #retryMs;
  #pause = new Pause();
  #end = new AbortController();
  #isProven = false;
  #heartbeatMs = HEARTBEAT_MS;

  /** @type {string | null} */
  cursor = null;
  /** @type {string | null} */
  connectionId = null;

  /** @param {import("./api.js").Api} api @param {import("./types.js").Options} options @param {Hearing} hearing */
  constructor(api, options, hearing) {
    this.#api = api;
    this.#options = options;
    this.#hearing = hearing;
  }

  /**
   * Stays connected, from this cursor on, until stopped, or until there is no proof that the server accepts: then another tab may
   * have one. Answers whether it is worth another try after that.
   * @param {string | null} cursor
   * @param {AbortSignal} stop
   */
  async run(cursor, stop) {
    this.cursor = cursor;
    while (!stop.aborted) {
      this.#become("connecting");
      const begun = performance.now();
      const error = await this.#connect(stop);
      if (stop.aborted) break;
      const isRefused = isRefusal(error);
      if (isRefused && this.#api.isFixed) {
        this.#become("expired", null, error);
        break;
      }
      if (performance.now() - begun > STABLE_MS && !isRefused) this.#attempt = 0;
      // Full jitter: clients that fell together do not come back together; the server spreads its own waits.
      const wait = this.#retryMs ?? error?.retryMs ?? backoff(this.#attempt++);
      this.#become(isRefused ? "expired" : "offline", Date.now() + wait, error);
      await this.#pause.wait(wait, stop);
      if (!this.#isProven) return true;
    }
    return false;
  }

  /** Skips the rest of a pause. */
  hurry() {
    this.#pause.end();
  }

  /** Ends the connection; it reconnects by itself. */
  drop() {
    this.#end.abort();
  }

  /**
   * One connection, from its opening to its end; answers why it ended.
   * @param {AbortSignal} stop
   * @returns {Promise<Problem | null>}
   */
  async #connect(stop) {
    const { transport = "auto", helloTimeoutMs = HELLO_MS } = this.#options;
    const isPolling = transport === "polling" || performance.now() < this.#pollUntil;
    const open = isPolling ? polling : TRANSPORTS[transport];
    const end = (this.#end = new AbortController());
    /** @type {Watch | undefined} */
    let watch;
    this.#retryMs = undefined;
    this.#pending = [];
    this.#isProven = false;
    let heard = false;
    try {
      const credential = await this.#api.credential();
      this.#isProven = true;
      watch = new Watch(helloTimeoutMs * (isPolling ? 4 : 1), (isSilent) => end.abort(isSilent ? HELD_BACK : undefined));
      for await (const frame of open(this.#api, { cursor: this.cursor }, credential, AbortSignal.any([stop, end.signal]))) {
        if (end.signal.aborted) break;
        heard ||= frame.name === "hello";
        this.#receive(frame);
        watch.feed(heard ? this.#heartbeatMs * 2.5 : helloTimeoutMs);
        if (frame.name !== "bye") continue;
        // The server gives tokens some seconds more than streams: with the same one it would end again and again.
        if (frame.data.reason === "expired" && this.#api.isFixed) throw new Problem(401, "The token has expired");
        break;
      }
      return null;
    } catch (error) {
      if (isRefusal(/** @type {Problem} */ (error))) this.#isProven = false;
      if (end.signal.reason === HELD_BACK && !heard && transport === "auto" && !isPolling) {
        this.#pollUntil = performance.now() + POLLING_MS;
        this.#retryMs = 0;
      }
      return error instanceof Problem ? error : new Problem(0, "The connection broke");
    } finally {
      watch?.stop();
      end.abort();
      this.connectionId = null;
    }
  }

  /** @param {import("./types.js").Frame} frame */
  #receive(frame) {
    this.#hearing.frame(frame);
    const { name, id, data } = frame;
    if (name === "hello") return this.#greet(data);
    if (data?.retryMs >= 0) this.#retryMs = data.retryMs;
    if (LOGGED.has(name)) this.#pending.push(frame);
    // Several events may belong to one change: the last of them has the cursor.
    if (id) this.#commit(id);
    if (this.#target !== null && (name === "heartbeat" || seqOf(this.cursor) >= this.#target)) {
      this.#target = null;
      this.#become("live");
    }
  }

  /** @param {string} id */
  #commit(id) {
    const change = { from: this.cursor ?? id, to: id, events: this.#pending, missed: this.#target !== null };
    this.cursor = id;
    this.#pending = [];
    this.#hearing.change(change);
  }

  /** @param {any} hello */
  #greet(hello) {
    this.connectionId = hello.connectionId ?? null;
    this.#heartbeatMs = hello.heartbeatMs || HEARTBEAT_MS;
    // The delay at a stream's head is for clients that know no other; after a break without `bye` the backoff applies.
    this.#retryMs = undefined;
    const follows = hello.verdict === "resumed" && hello.missed > 0;
    this.#target = follows ? seqOf(hello.cursor) : null;
    if (hello.verdict !== "resumed") this.cursor = hello.cursor;
    this.#become(follows ? "catchingUp" : "live");
  }

  /** @param {import("./types.js").Connection} connection @param {number | null} [retryAt] @param {Problem | null} [problem] */
  #become(connection, retryAt = null, problem = null) {
    this.#hearing.status({ connection, retryAt, problem });
  }
}
