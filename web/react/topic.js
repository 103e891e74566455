// A user's relation to one topic, for as long as a component shows it. Knows no React.

/** @typedef {import("../client/index.js").Client} Client */
/** @typedef {import("../client/index.js").Problem} Problem */

/** @typedef {{kind: string, key: string, data: any}} Signal */

/**
 * Never mutated.
 * @typedef {object} TopicState
 * @property {string} topic
 * @property {boolean} loading whether it is not known yet
 * @property {boolean} subscribed
 * @property {string | null} mutedUntil until when nothing of the topic interrupts: a time, or `forever`
 * @property {readonly Signal[]} signals the last of each kind and key since a component shows the topic, the newest at the end
 * @property {Problem | null} problem why it cannot be known, or why the last change was refused
 */

const SIGNALS_AT_MOST = 100;

/** @typedef {{topic: string, mutedUntil: string | null}} Joined */

/** @type {WeakMap<Client, Map<string, Topic>>} */
const known = new WeakMap();
/** @type {WeakMap<Client, Promise<Joined[]>>} requests that are about to be sent */
const asking = new WeakMap();

/**
 * The one that all components of a topic share.
 * @param {Client} client
 * @param {string} name
 */
export function topicOf(client, name) {
  const topics = known.get(client) ?? new Map();
  known.set(client, topics);
  const topic = topics.get(name) ?? new Topic(client, name);
  topics.set(name, topic);
  return topic;
}

/** The subscriptions of the user; concurrent callers share one request. @param {Client} client */
function subscriptionsOf(client) {
  const asked = asking.get(client) ?? Promise.resolve().then(() => {
    asking.delete(client);
    return list(client);
  });
  asking.set(client, asked);
  return asked;
}

/** @param {Client} client */
async function list(client) {
  /** @type {Joined[]} */
  const all = [];
  for (let page; page !== null; ) {
    const answer = await client.call("GET", "/api/topics", { query: { limit: 1000, page } });
    all.push(...answer.topics);
    page = answer.nextPage;
  }
  return all;
}

export class Topic {
  #client;
  #name;
  /** @type {TopicState} */
  #state;
  /** @type {Set<() => void>} */
  #listeners = new Set();
  /** @type {(() => void)[]} */
  #undo = [];
  /** How many events of the stream have shown the subscription: an answer to an earlier request is older. */
  #told = 0;

  /** @param {Client} client @param {string} name */
  constructor(client, name) {
    this.#client = client;
    this.#name = name;
    this.#state = { topic: name, loading: true, subscribed: false, mutedUntil: null, signals: [], problem: null };
  }

  get = () => this.#state;

  /** @param {() => void} listener */
  subscribe = (listener) => {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) this.#begin();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#end();
    };
  };

  /** Subscribes. As with each of these, the state shows a refusal: the promise is never rejected. */
  join = () => this.#change({ subscribed: true }, "PUT");

  /** Unsubscribes. */
  leave = () => this.#change({ subscribed: false, mutedUntil: null, signals: [] }, "DELETE");

  /**
   * Mutes the topic, until a time or for good, or unmutes it with null; subscribes where that has not been done.
   * @param {Date | "forever" | null} until
   */
  mute = (until) => {
    const mutedUntil = until instanceof Date ? until.toISOString() : until;
    return this.#change({ subscribed: true, mutedUntil }, "PUT", { mutedUntil });
  };

  #begin() {
    this.#undo = [
      this.#client.on("subscription", ({ topic, subscribed, mutedUntil }) => {
        if (topic === this.#name) this.#hear(subscribed, mutedUntil);
      }),
      this.#client.on("signal", ({ topic, ...signal }) => {
        if (topic === this.#name) this.#keep(signal);
      }),
      this.#client.on("reset", () => this.#load()),
      this.#client.on("connection", ({ connection }) => {
        if (connection === "live" && this.#state.loading) this.#load();
      }),
    ];
    this.#load();
  }

  #end() {
    this.#undo.forEach((undo) => undo());
    this.#set({ loading: true, signals: [] });
  }

  async #load() {
    const told = this.#told;
    try {
      // A request for one topic that no user has joined yet would be refused.
      const mine = (await subscriptionsOf(this.#client)).find(({ topic }) => topic === this.#name);
      if (told === this.#told) this.#set({ loading: false, subscribed: mine !== undefined, mutedUntil: mine?.mutedUntil ?? null, problem: null });
    } catch (error) {
      const problem = /** @type {Problem} */ (error);
      // A request that could not be sent is sent again when there is a connection.
      if (told === this.#told) this.#set({ loading: problem.status === 0, problem });
    }
  }

  /** @param {boolean} subscribed @param {string | null} mutedUntil */
  #hear(subscribed, mutedUntil) {
    this.#told++;
    const signals = subscribed ? this.#state.signals : [];
    this.#set({ loading: false, subscribed, mutedUntil, signals, problem: null });
  }

  /** @param {Signal} signal */
  #keep(signal) {
    const others = this.#state.signals.filter(({ kind, key }) => kind !== signal.kind || key !== signal.key);
    this.#set({ signals: [...others, signal].slice(-SIGNALS_AT_MOST) });
  }

  /**
   * Shows a change at once and asks the server for it; takes it back when that is refused.
   * @param {Partial<TopicState>} change
   * @param {string} method
   * @param {any} [body]
   */
  async #change(change, method, body) {
    const [before, told] = [this.#state, this.#told];
    this.#set({ ...change, problem: null });
    try {
      await this.#client.call(method, `/api/topics/${encodeURIComponent(this.#name)}/subscription`, { body });
    } catch (error) {
      const { subscribed, mutedUntil } = before;
      this.#set({ problem: /** @type {Problem} */ (error), ...(told === this.#told ? { subscribed, mutedUntil } : {}) });
    }
  }

  /** @param {Partial<TopicState>} change */
  #set(change) {
    this.#state = { ...this.#state, ...change };
    this.#listeners.forEach((listener) => listener());
  }
}
