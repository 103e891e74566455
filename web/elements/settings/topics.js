// The topics that the user is subscribed to: each can be muted, and left.

import { h } from "../dom.js";
import { fill } from "../texts.js";

/** @typedef {import("../settings.js").Words} Words */
/** @typedef {{topic: string, mutedUntil: string | null}} Topic */

export class Topics {
  #words;
  #client;
  #telling;
  /** @type {Topic[]} */
  #stored = [];
  /** @type {Map<string, Partial<Topic> | null>} pending changes; null: it is being left */
  #pending = new Map();
  /** @type {string | null} which one is about to be left */
  #leaving = null;
  #list = h("ul", { role: "list", class: "topics" });

  /** @param {import("../../client/index.js").Client} client @param {Words} words @param {import("./draft.js").Telling} telling */
  constructor(client, words, telling) {
    this.#client = client;
    this.#words = words;
    this.#telling = telling;
    const { title, hint } = words.topics;
    this.element = h("section", { part: "section", "aria-labelledby": "topics", hidden: true }, h("h2", { id: "topics" }, title), h("p", { class: "hint" }, hint), this.#list);
  }

  /** Fetches them all; a part that cannot be fetched stays as it is. */
  async load() {
    /** @type {Topic[]} */
    const topics = [];
    for (let page; page !== null; ) {
      const answer = await this.#client.call("GET", "/api/topics", { query: { limit: 500, page } });
      topics.push(...answer.topics);
      page = answer.nextPage;
    }
    this.#stored = topics;
    this.#render();
  }

  /** @param {string} topic @param {Partial<Topic> | null} change */
  async #alter(topic, change) {
    const path = `/api/topics/${encodeURIComponent(topic)}/subscription`;
    this.#pending.set(topic, change);
    this.#leaving = null;
    this.#render();
    this.#telling.saving();
    try {
      await (change ? this.#client.call("PUT", path, { body: change }) : this.#client.call("DELETE", path));
      this.#stored = this.#stored.flatMap((each) => (each.topic !== topic ? [each] : change ? [{ ...each, ...change }] : []));
      this.#telling.saved();
    } catch (problem) {
      this.#telling.failed(/** @type {any} */ (problem));
    }
    this.#pending.delete(topic);
    this.#render();
  }

  #render() {
    const root = /** @type {ShadowRoot | Document} */ (this.element.getRootNode());
    const held = this.#list.contains(root.activeElement) ? root.activeElement?.getAttribute("data-key") : null;
    const topics = this.#stored.filter(({ topic }) => this.#pending.get(topic) !== null);
    this.#list.replaceChildren(...topics.map((topic) => this.#row({ ...topic, ...this.#pending.get(topic.topic) })));
    this.element.hidden = topics.length === 0;
    if (held) (this.#control(held) ?? this.#control(held.replace(/^\w+/, "leave")) ?? this.#list.querySelector("button"))?.focus();
  }

  /** @param {string} key @returns {HTMLElement | undefined} */
  #control(key) {
    return [...this.#list.querySelectorAll("button")].find((button) => button.dataset.key === key);
  }

  /** @param {Topic} topic */
  #row({ topic, mutedUntil }) {
    const { topics, time, now } = this.#words;
    const isMuted = mutedUntil === "forever" || Date.parse(mutedUntil ?? "") > now();
    const state = !isMuted ? null : mutedUntil === "forever" ? topics.muted : fill(topics.mutedUntil, { time: time(mutedUntil ?? "") });
    const name = h("span", { class: "name" }, h("bdi", {}, topic), state && h("span", { class: "note" }, state));
    if (this.#leaving === topic) {
      const question = h("span", { class: "name" }, fill(topics.leaveSure, { topic }));
      const stay = this.#button("stay", topics.stay, topic, () => this.#ask(null, topic));
      return h("li", {}, question, this.#button("leave", topics.leave, topic, () => this.#alter(topic, null), "danger"), stay);
    }
    const mute = isMuted
      ? this.#button("mute", topics.unmute, topic, () => this.#alter(topic, { mutedUntil: null }))
      : this.#button("mute", topics.mute, topic, () => this.#alter(topic, { mutedUntil: "forever" }));
    return h("li", {}, name, mute, this.#button("leave", topics.leave, topic, () => this.#ask(topic, topic)));
  }

  /** @param {string | null} leaving @param {string} topic */
  #ask(leaving, topic) {
    this.#leaving = leaving;
    this.#render();
    this.#control(`${leaving ? "stay" : "leave"} ${topic}`)?.focus();
  }

  /** @param {string} does @param {string} label @param {string} topic @param {() => void} click @param {string} [sort] */
  #button(does, label, topic, click, sort = "plain") {
    const properties = { type: "button", class: sort, part: "button", "aria-label": `${label}: ${topic}`, "data-key": `${does} ${topic}`, on: { click } };
    return h("button", properties, label);
  }
}
