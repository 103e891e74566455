// The client of Tidings: an inbox that stays true, and the events of its stream.
//
//   const tidings = connect({ getToken: async () => (await fetch("/my-token")).text() });
//   tidings.subscribe(() => render(tidings.state));

import { Api, Problem, isRefusal } from "./api.js";
import { epochOf, recall, remember, seqOf } from "./cursor.js";
import { Inbox } from "./inbox.js";
import { Line } from "./line.js";
import { Pause, backoff } from "./pace.js";
import { named } from "./polling.js";
import { Tabs } from "./tabs.js";

export { Problem };

/**
 * @typedef {import("./types.js").Item} Item
 * @typedef {import("./types.js").State} State
 * @typedef {import("./types.js").Filter} Filter
 * @typedef {import("./types.js").Change} Change
 * @typedef {import("./types.js").Frame} Frame
 * @typedef {import("./types.js").Status} Status
 * @typedef {import("./types.js").Events} Events
 * @typedef {import("./types.js").Options} Options
 */

const RANKS = ["low", "medium", "high", "critical"];
const PAGE_SIZE = 30;
/** Of more that was missed between two pages no single notification is news. */
const NEWS_AT_MOST = 200;
/** A list that grew longer restarts with its first page. */
const ITEMS_AT_MOST = 2000;

/**
 * Begins to load the inbox and to follow its stream.
 * @param {Options} [options]
 */
export function connect(options = {}) {
  return new Client(options);
}

export class Client {
  #options;
  #api;
  #line;
  #inbox = new Inbox(() => this.#stamp());
  /** @type {Tabs | null} */
  #tabs = null;
  /** @type {Map<string, Set<(event: any) => void>>} */
  #listeners = new Map();
  /** @type {Set<() => void>} */
  #subscribers = new Set();
  /** @type {Status} */
  #status = { connection: "connecting", retryAt: null, problem: null };
  /** @type {string | null} the position up to which events were reported; the items may be ahead of it */
  #told = null;
  /** @type {Change[] | null} while a list is on its way its answer may be older than changes that come before it: they wait */
  #held = null;
  /** @type {string | null} how far the stream is, as its leader says */
  #ahead = null;
  /** By how many ms the server's time is ahead of this computer's clock. */
  #skew = 0;
  /** By how many ms it is ahead of `performance.now`. */
  #steadySkew = -Infinity;
  #pause = new Pause();
  #loading = Promise.resolve();
  #isLoading = true;
  /** @type {Item[]} */
  #missed = [];
  #closing = new AbortController();

  /** @type {State} */
  state = this.#see();

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    this.#inbox.filter = options.filter ?? {};
    this.#api = new Api(options);
    this.#line = new Line(this.#api, options, {
      status: (status) => this.#lead({ status }),
      change: (change) => this.#lead({ change }),
      frame: (frame) => this.#overhear(frame),
    });
    this.#follow();
    this.#begin();
  }

  /**
   * Calls back after each change of `state`; answers a function that stops it.
   * @param {() => void} listener
   */
  subscribe = (listener) => {
    this.#subscribers.add(listener);
    return () => void this.#subscribers.delete(listener);
  };

  /**
   * Listens to one sort of events; answers how to stop that.
   * @template {keyof Events} Name
   * @param {Name} name
   * @param {(event: Events[Name]) => void} listener
   */
  on(name, listener) {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  /** The time in ms since 1970 as the server has it: the clock of this computer may be wrong. */
  now() {
    // A clock that was set back is late, and the other one is after a sleep: the one that is ahead is right. A clock that was set forward
    // is ahead and wrong until the next `hello`: the jump ends the connection, so that comes at once.
    return Math.floor(Math.max(Date.now() + this.#skew, performance.now() + this.#steadySkew));
  }

  /** @param {string} id */
  read(id) {
    return this.#act(id, "POST", "/read", { readAt: this.#stamp() });
  }

  /** @param {string} id */
  unread(id) {
    return this.#act(id, "POST", "/unread", { readAt: null });
  }

  /** @param {string} id */
  seen(id) {
    return this.#act(id, "POST", "/seen", { seenAt: this.#stamp() });
  }

  /** @param {string} id */
  archive(id) {
    return this.#act(id, "POST", "/archive", { archivedAt: this.#stamp() });
  }

  /** @param {string} id */
  remove(id) {
    return this.#act(id, "DELETE", "", { archivedAt: this.#stamp() });
  }

  /** @param {string} id @param {Date} until when it comes back */
  snooze(id, until) {
    return this.#act(id, "POST", "/snooze", { snoozedUntil: until.toISOString() }, { until });
  }

  /** Acknowledges a due item. @param {string} id */
  acknowledge(id) {
    return this.#act(id, "POST", "/acknowledge", { dueState: "acknowledged" });
  }

  /** Finishes a due item. @param {string} id */
  done(id) {
    return this.#act(id, "POST", "/done", { dueState: "done" });
  }

  /** Marks as read everything up to the position that the items show; what arrived after it was on no screen. */
  async readAll() {
    const before = this.#inbox.position;
    // Without a list nothing was shown.
    if (!before) throw this.#fail(new Problem(0, "There is no list"));
    /** @param {Item} item */
    const patch = ({ seq }) => (seq <= seqOf(before) ? { readAt: this.#stamp() } : null);
    await this.#change({ patch, all: true, until: null }, "POST", "/api/notifications/read-all", { before });
  }

  /** Loads older items. */
  loadMore() {
    return this.#whileHolding(async () => {
      // A filtered page may be empty and yet lead on.
      for (let tries = 0, before = this.#inbox.size; tries < 5 && this.#inbox.nextPage && this.#inbox.size === before; tries++) {
        this.#inbox.load(await this.#page(this.#inbox.nextPage), true);
      }
    });
  }

  /** Shows the items that pass the filter, from its first page on. @param {Filter} filter */
  setFilter(filter) {
    this.#inbox.filter = filter;
    return this.reload();
  }

  /** Loads the list again. */
  reload() {
    return this.#whileHolding(async () => {
      this.#isLoading = true;
      this.#publish();
      try {
        const filter = this.#inbox.filter;
        const page = await this.#page();
        if (filter === this.#inbox.filter) this.#inbox.load(page);
      } finally {
        this.#isLoading = false;
      }
    });
  }

  /**
   * Any call of the API with the credential of this client: the parsed answer, or a thrown `Problem`.
   * @param {string} method
   * @param {string} path
   * @param {{body?: any, query?: Record<string, any>, headers?: Record<string, string>}} [more]
   */
  call(method, path, more) {
    return this.#api.call(method, path, more);
  }

  /** Continues with a fresh token of the same user, on the open stream if there is one. @param {string} token */
  async setToken(token) {
    this.#api.use(token);
    if (this.#status.connection === "expired") this.reconnect();
    else await this.#extend();
  }

  /** Connects now, where a pause is under way or the connection was given up. */
  reconnect() {
    if (this.#status.connection === "expired" && this.#status.retryAt === null) return void this.#begin();
    this.#pause.end();
    this.#tabs?.hurry();
  }

  /** Breaks the connection, as a bad network does: the client comes back by itself. */
  drop() {
    this.#line.drop();
  }

  /** Ends everything. */
  close() {
    this.#closing.abort();
    this.#tabs?.leave();
    this.#subscribers.clear();
    this.#listeners.clear();
  }

  /** Loads the list until there is one, then takes part in the stream. */
  async #begin() {
    this.#leave();
    this.#become({ connection: "connecting", retryAt: null, problem: null });
    if (!(await this.#insist())) return;
    this.#told = this.#beginning();
    this.#join();
  }

  /** Loads the list, again and again until it is there; false when that is hopeless. */
  async #insist() {
    for (let attempt = 1; !this.#closing.signal.aborted; attempt++) {
      try {
        await this.reload();
        return true;
      } catch (error) {
        const problem = this.#fail(error);
        const isRefused = isRefusal(problem);
        const isFinal = isRefused && this.#api.isFixed;
        const wait = problem.retryMs ?? backoff(attempt);
        if (isFinal) this.#leave();
        // The leading tab reports the state of a stream that continues.
        if (!this.#tabs) this.#become({ connection: isRefused ? "expired" : "offline", retryAt: isFinal ? null : Date.now() + wait, problem });
        if (isFinal) break;
        await this.#pause.wait(wait, this.#closing.signal);
      }
    }
    return false;
  }

  #leave() {
    this.#tabs?.leave();
    this.#tabs = null;
  }

  /** The position after which events are news: the last one of an earlier page of this user, if that is not long ago. */
  #beginning() {
    const { position } = this.#inbox;
    const stored = this.#told ?? recall(this.#name(position));
    const missed = seqOf(position) - seqOf(stored);
    return epochOf(stored) === epochOf(position) && missed >= 0 && missed <= NEWS_AT_MOST ? stored : position;
  }

  /** Names the stream: an epoch is one user's, so users never share. @param {string | null} cursor */
  #name(cursor) {
    return ["tidings", this.#options.url, epochOf(cursor)].join(" ");
  }

  #join() {
    this.#leave();
    this.#tabs = new Tabs(this.#name(this.#told), this.#options.shareConnection ?? true, {
      lead: (stop) => this.#line.run(this.#told, stop),
      hear: (message) => this.#hear(this.#compare(message, Date.now() + message.skew)),
      answer: () => this.#lead({ status: this.#status }),
      hurry: () => this.#line.hurry(),
    });
    this.#tabs.join();
  }

  /** Passes a message of the connection to all tabs, in the tab that holds it. @param {any} message */
  #lead(message) {
    const said = { ...message, cursor: this.#line.cursor, skew: this.now() - Date.now() };
    this.#hear(said);
    // A token that is refused here may be accepted of others: to them there is no connection until one of them has tried.
    if (message.status?.connection === "expired") said.status = { ...message.status, connection: "offline" };
    // An error that is copied keeps none of its properties, a plain object does.
    this.#tabs?.say(JSON.parse(JSON.stringify(said)));
  }

  /** @param {{status?: Status, change?: Change, frame?: Frame, cursor: string | null}} message */
  #hear({ status, change, frame, cursor }) {
    this.#ahead = cursor;
    if (change) this.#take(change);
    if (frame) this.#receive(frame);
    const { connection, retryAt } = this.#status;
    // A tab that was refused for good cares for others' tries only once they succeed.
    if (status && (connection !== "expired" || retryAt || ["live", "catchingUp"].includes(status.connection))) this.#become(status);
    if (this.#status.connection === "live") this.#check();
  }

  /** This tab has received everything of a live stream, unless it was frozen or is new. */
  #check() {
    if (this.#held) return;
    if (epochOf(this.#ahead) === epochOf(this.#told) && seqOf(this.#ahead) > seqOf(this.#told)) this.#heal();
    else this.#tellMissed();
  }

  /** @param {Frame} frame */
  #overhear(frame) {
    // A tab that was frozen hears of it late, so the tab that received it compares the clocks.
    this.#compare(frame.data);
    this.#emit("frame", frame);
    if (["hello", "signal", "heartbeat", "expiring"].includes(frame.name)) this.#lead({ frame });
  }

  /** @param {Frame} frame */
  #receive({ name, data }) {
    if (name === "signal" && this.#wants(data)) this.#emit("signal", data);
    else if (name === "hello" && data.verdict === "reset") this.#reset(data);
    else if (name === "expiring" && this.#tabs?.leads) this.#renew(data);
  }

  /** @param {any} expiring */
  async #renew(expiring) {
    if (!this.#api.canRefresh) return this.#emit("expiring", expiring);
    await this.#api.token(true).then(() => this.#extend()).catch((error) => this.#fail(error));
  }

  async #extend() {
    const { connectionId } = this.#line;
    if (connectionId) await this.#api.call("POST", `/api/streams/${connectionId}/token`);
  }

  /** @param {any} hello */
  async #reset({ reason, cursor }) {
    this.#told = cursor;
    const same = epochOf(this.#inbox.position) === epochOf(cursor);
    if (!(await this.#insist())) return;
    this.#emit("reset", { reason });
    if (!same) this.#join();
  }

  /** @param {Change} change */
  #take(change) {
    if (this.#held) return void this.#held.push(change);
    const [from, to, told] = [seqOf(change.from), seqOf(change.to), seqOf(this.#told)];
    if (epochOf(change.to) !== epochOf(this.#told) || to <= told) return;
    // A tab that was frozen has not received everything.
    if (from > told) return this.#heal();
    this.#told = change.to;
    if (this.#tabs?.leads) remember(this.#name(change.to), change.to);
    const isShort = to > seqOf(this.#inbox.position) && this.#inbox.apply(change);
    this.#publish();
    change.events.forEach(({ name, data }) => this.#tell(name, data, change.missed));
    if (isShort || this.#inbox.size > ITEMS_AT_MOST) this.#insist();
  }

  /** @param {string} name @param {any} data @param {boolean} missed */
  #tell(name, data, missed) {
    if (name !== "notification") return this.#emit(/** @type {any} */ (name), data);
    if (!this.#wants(data)) return;
    if (missed) this.#missed.push(data);
    this.#emit("notification", { item: data, missed });
  }

  /**
   * Whether the application is told of it. The list and its count are whole: filters of the stream would leave out of them what a
   * reload shows.
   * @param {{kind: string, priority?: string}} event a signal has no priority
   */
  #wants({ kind, priority = RANKS[3] }) {
    const { kinds, minPriority = RANKS[0] } = this.#options;
    return (!kinds || kinds.includes(kind)) && RANKS.indexOf(priority) >= RANKS.indexOf(minPriority);
  }

  #tellMissed() {
    const items = this.#missed;
    this.#missed = [];
    if (items.length > 0) this.#emit("caughtUp", { items });
  }

  /** Fetches the changes that this tab did not receive. */
  #heal() {
    if (this.#held) return;
    this.#whileHolding(async () => {
      for (let more = true; more; ) {
        const answer = await this.#api.call("GET", "/api/notifications/changes", { query: { cursor: this.#told } });
        if (answer.verdict === "reset") return void this.#reset(answer);
        const change = { from: this.#told ?? "", to: answer.cursor, events: named(answer.events), missed: true };
        const held = this.#held;
        this.#held = null;
        this.#take(change);
        this.#held = held;
        more = answer.hasMore;
      }
      this.#ahead = this.#told;
      this.#tellMissed();
    }).catch(async () => {
      if (await this.#insist()) this.#told = this.#inbox.position;
    });
  }

  /**
   * Runs loads one after the other; changes that come meanwhile are taken after them.
   * @param {() => Promise<void>} work
   */
  #whileHolding(work) {
    const turn = this.#loading.then(async () => {
      this.#held = [];
      try {
        await work();
      } finally {
        const held = this.#held ?? [];
        this.#held = null;
        held.forEach((change) => this.#take(change));
        this.#publish();
        if (this.#status.connection === "live") this.#check();
      }
    });
    this.#loading = turn.catch(() => {});
    return turn;
  }

  /** @param {string} [page] */
  async #page(page) {
    const query = { limit: this.#options.pageSize ?? PAGE_SIZE, page, ...this.#inbox.filter };
    return this.#compare(await this.#api.call("GET", "/api/notifications", { query }));
  }

  /**
   * Compares the clocks by an answer or event that has just come.
   * @param {any} said
   * @param {number} [time] the server's by it; not a number if it does not say that, or comes from an older server or tab
   */
  #compare(said, time = Date.parse(said?.timestamp)) {
    if (!Number.isNaN(time)) {
      this.#skew = time - Date.now();
      this.#steadySkew = time - performance.now();
    }
    return said;
  }

  #stamp() {
    return new Date(this.now()).toISOString();
  }

  /**
   * @param {string} id
   * @param {string} method
   * @param {string} path
   * @param {Partial<Item>} changed
   * @param {any} [body]
   */
  #act(id, method, path, changed, body) {
    /** @param {Item} item */
    const patch = (item) => (item.id === id ? changed : null);
    return this.#change({ patch, until: null }, method, `/api/notifications/${encodeURIComponent(id)}${path}`, body);
  }

  /**
   * Shows a change at once and asks the server for it; takes it back when that is refused.
   * @param {import("./inbox.js").Step} step
   * @param {string} method
   * @param {string} path
   * @param {any} [body]
   */
  async #change(step, method, path, body) {
    this.#inbox.begin(step);
    this.#publish();
    try {
      // The action of a click is done even if the same click leads to another page.
      const answer = await this.#api.call(method, path, { body, keepalive: true });
      this.#inbox.settle(step, answer.cursor);
    } catch (error) {
      this.#inbox.settle(step, null);
      this.#fail(error);
      throw error;
    } finally {
      this.#publish();
    }
  }

  /** Browsers put pages aside and bring them back; a page that is put aside gives up its connection. */
  #follow() {
    const { signal } = this.#closing;
    /** @param {string} name @param {(event: any) => void} listener @param {EventTarget} [target] */
    const when = (name, listener, target = globalThis) => target.addEventListener?.(name, listener, { signal });
    const leave = () => this.#tabs?.leave();
    const rejoin = () => this.#tabs?.join();
    const hurry = () => this.#status.retryAt && this.reconnect();
    when("online", hurry);
    when("offline", () => this.#line.drop());
    when("pagehide", leave);
    when("pageshow", (event) => event.persisted && rejoin());
    if (typeof document === "undefined") return;
    when("freeze", leave, document);
    when("resume", rejoin, document);
    when("visibilitychange", () => document.visibilityState === "visible" && hurry(), document);
  }

  /** @param {Status} status */
  #become(status) {
    this.#status = status;
    this.#publish();
    this.#emit("connection", status);
  }

  #publish() {
    this.state = this.#see();
    this.#subscribers.forEach((listener) => safely(listener));
  }

  /** @returns {State} */
  #see() {
    const { filter, position: cursor, nextPage } = this.#inbox;
    return { ...this.#inbox.view(), ...this.#status, loading: this.#isLoading, hasMore: nextPage !== null, filter, cursor };
  }

  /** @param {unknown} error */
  #fail(error) {
    const problem = error instanceof Problem ? error : new Problem(0, "Something went wrong", String(error));
    this.#emit("problem", problem);
    return problem;
  }

  /**
   * @template {keyof Events} Name
   * @param {Name} name
   * @param {Events[Name]} event
   */
  #emit(name, event) {
    this.#listeners.get(name)?.forEach((listener) => safely(listener, event));
  }
}

/** An error of the application must not reach other listeners, or other tabs. @param {(event: any) => void} listener @param {any} [event] */
function safely(listener, event) {
  try {
    listener(event);
  } catch (error) {
    reportError(error);
  }
}
