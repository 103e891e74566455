// One tab of an origin leads: it alone holds the connection, and the others receive through it. Knows no content of messages.

import { Watch } from "./pace.js";

// Without a word for so long the leader is asked, and without an answer it is deposed.
const SILENCE_MS = 30000;
const ANSWER_MS = 5000;

/**
 * @typedef {object} Role the functions of a tab
 * @property {(stop: AbortSignal) => Promise<boolean>} lead holds the connection until stopped; when it ends by itself another tab leads, and
 *   this one is a candidate again if the answer says so
 * @property {(message: any) => void} hear takes a message of the leader
 * @property {() => void} answer has the leader report its state, because another tab asks
 * @property {() => void} hurry has the leader connect now, because another tab wants it
 */

export class Tabs {
  #name;
  #role;
  /** @type {BroadcastChannel | null} */
  #channel = null;
  #leaving = new AbortController();
  #leads = false;
  #asked = false;

  /** @param {string} name tabs of the same name share @param {boolean} shared @param {Role} role */
  constructor(name, shared, role) {
    this.#name = name;
    this.#role = role;
    // Locks are there for pages of secure origins only; without them every tab holds a line of its own.
    this.shared = shared && "locks" in navigator && "BroadcastChannel" in globalThis;
  }

  get leads() {
    return this.#leads;
  }

  /** Takes part, until `leave`. */
  async join() {
    this.leave();
    const { signal } = (this.#leaving = new AbortController());
    if (!this.shared) {
      while (await this.#lead(signal));
      return;
    }
    const channel = (this.#channel = new BroadcastChannel(this.#name));
    const watch = new Watch(SILENCE_MS, (isSilent) => isSilent && this.#doubt(watch, signal));
    signal.addEventListener("abort", () => watch.stop());
    channel.onmessage = ({ data }) => {
      // Words that any tab may say prove nothing of the leader: "!", and "?", which each tab says when it comes.
      if (data === "!") return void (this.#leads && this.#role.hurry());
      // A tab that doubts says "??", and that counts as a word of the leader: one tab that doubts is enough.
      if (data !== "?") watch.feed(SILENCE_MS);
      if (data[0] === "?") return void (this.#leads && this.#role.answer());
      this.#asked = false;
      this.#role.hear(data);
    };
    channel.postMessage("?");
    await this.#stand(signal);
  }

  leave() {
    this.#leaving.abort();
    this.#channel?.close();
    this.#channel = null;
  }

  /** Asks the tab that leads to connect now. */
  hurry() {
    if (this.#leads) this.#role.hurry();
    else this.say("!");
  }

  /** Sends a message of the leader to the other tabs. @param {any} message */
  say(message) {
    this.#channel?.postMessage(message);
  }

  /**
   * Waits for the lock, then leads for as long as it is held.
   * @param {AbortSignal} left
   * @param {LockOptions} [options]
   */
  async #stand(left, options = { signal: left }) {
    const deposed = new AbortController();
    try {
      const stop = AbortSignal.any([left, deposed.signal]);
      if (await navigator.locks.request(this.#name, options, () => this.#lead(stop))) this.#stand(left);
    } catch {
      // The lock was taken away, or this tab left.
      deposed.abort();
      if (!left.aborted) this.#stand(left);
    }
  }

  /** @param {AbortSignal} stop */
  async #lead(stop) {
    this.#leads = true;
    return this.#role.lead(stop).finally(() => (this.#leads = false));
  }

  /**
   * A leader that hangs holds the lock and says nothing.
   * @param {Watch} watch
   * @param {AbortSignal} left
   */
  #doubt(watch, left) {
    if (this.#leads || left.aborted) return watch.feed(SILENCE_MS);
    watch.feed(ANSWER_MS);
    if (this.#asked) this.#stand(left, { steal: true });
    this.#asked = !this.#asked;
    this.say("??");
  }
}
