// Callers of the API beside the clients that are tested: a backend that publishes, a user who looks.

import assert from "node:assert/strict";

import { servers, token } from "./stage.js";
import { until } from "./until.js";

let keys = 0;

/**
 * Publishes, again and again until it is acknowledged; the key sees to it that this makes one notification.
 * @param {Record<string, any>} body
 * @returns {Promise<string>} its id
 */
export async function publish(body) {
  backend ??= await token("backend", { scope: "publish" });
  const sent = { idempotencyKey: `${++keys}`, ...body };
  const headers = { authorization: `Bearer ${backend}`, "content-type": "application/json" };
  return until(`"${body.title}" is published`, async () => {
    const request = { method: "POST", headers, body: JSON.stringify(sent), signal: AbortSignal.timeout(10000) };
    const answer = await fetch(`${servers.url}/api/notifications`, request).catch(() => null);
    if (answer?.status === 201) return (await answer.json()).id;
    assert(!answer || answer.status >= 500, `a publish is answered with ${answer?.status}`);
  });
}

/** @type {string | undefined} */
let backend;

/** Publishes to a user, one after the other, until it is stopped. */
export class Publisher {
  /** @type {string[]} titles of the acknowledged ones, in the order of the stream */
  titles = [];
  #user;
  #isStopped = false;
  #end;

  /** @param {string} user @param {string} [name] the beginning of the titles @param {number} [paceMs] */
  constructor(user, name = "n", paceMs = 50) {
    this.#user = user;
    this.#end = this.#run(name, paceMs);
  }

  /** @param {number} more waits until so many more are published */
  more(more) {
    const wanted = this.titles.length + more;
    return until(`${wanted} are published`, () => this.titles.length >= wanted);
  }

  /** All that was published. */
  async stop() {
    this.#isStopped = true;
    await this.#end;
    return this.titles;
  }

  /** @param {string} name @param {number} paceMs */
  async #run(name, paceMs) {
    for (let number = 1; !this.#isStopped; number++) {
      const title = `${name}${number}`;
      await publish({ users: [this.#user], title });
      this.titles.push(title);
      await new Promise((resolve) => setTimeout(resolve, paceMs));
    }
  }
}

/** A user's calls of the API, as another program of the same user makes them. */
export class User {
  /** @param {string} name */
  constructor(name) {
    this.name = name;
  }

  /** @param {string} method @param {string} path @param {any} [body] @param {string} [url] */
  async call(method, path, body, url = servers.url) {
    this.token ??= await token(this.name, { scope: "admin" });
    const headers = { authorization: `Bearer ${this.token}`, ...(body && { "content-type": "application/json" }) };
    const answer = await fetch(url + path, { method, headers, body: body && JSON.stringify(body) });
    assert(answer.ok, `${method} ${path}: ${answer.status}`);
    const text = await answer.text();
    return text ? JSON.parse(text) : null;
  }

  /** The list as the server has it, all pages of it. @returns {Promise<{items: any[], unread: number, cursor: string}>} */
  async list() {
    const items = [];
    for (let query = "limit=100"; ; ) {
      const page = await this.call("GET", `/api/notifications?${query}`);
      items.push(...page.notifications);
      if (!page.hasMore) return { items, unread: page.unread, cursor: page.cursor };
      query = new URLSearchParams({ limit: "100", page: page.nextPage }).toString();
    }
  }
}

/** How many streams are open at each instance; none at one that is down. @returns {Promise<number[]>} */
export function connections() {
  return Promise.all(servers.instances.map(async (base) => {
    const text = await fetch(`${base}/metrics`).then((answer) => answer.text(), () => "");
    const values = text.match(/^tidings_connections(\{.*\})? \d+$/gm) ?? [];
    return values.reduce((sum, line) => sum + Number(line.split(" ").pop()), 0);
  }));
}

/** Waits until so many streams are open at all instances together. @param {number} count */
export function openStreams(count) {
  return until(`${count} streams are open`, async () => (await connections()).reduce((sum, each) => sum + each, 0) === count);
}

/** An instance that holds a stream. */
export async function holder() {
  const holds = async () => (await connections()).findIndex((count) => count > 0) + 1;
  return (await until("an instance holds a stream", holds)) - 1;
}
