// A tab whose client is watched, and the model that it must agree with: the publishes, and the list of the server.

import assert from "node:assert/strict";

import { User } from "./server.js";
import { until } from "./until.js";

/** The tab that holds the connection of all these: it alone sees frames as they come. @param {Tab[]} tabs */
export function leader(tabs) {
  return until("a tab leads", async () => {
    const leads = await Promise.all(tabs.map(async (tab) => (await tab.events("frame")).length > 0));
    return tabs[leads.indexOf(true)];
  });
}

export class Tab {
  /** @param {import("playwright-core").Page} page @param {string} user */
  constructor(page, user) {
    this.page = page;
    this.user = new User(user);
    page.on("pageerror", (error) => console.error("in the page:", error));
  }

  /** @template A, R @param {(argument: A) => R} work runs in the page, where `client` is @param {A} [argument] @returns {Promise<R>} */
  run(work, argument) {
    return this.page.evaluate(/** @type {any} */ (work), argument);
  }

  /**
   * Waits until something is so in the page, where `client`, `told` and `events` are.
   * @template A
   * @param {string} what
   * @param {(argument: A) => any} probe
   * @param {A} [argument]
   */
  async until(what, probe, argument) {
    try {
      await this.page.waitForFunction(/** @type {any} */ (probe), argument, { polling: 50 });
    } catch (error) {
      const seen = this.page.isClosed() ? null : await this.run(() => ({ state: client?.state, events: events.slice(-20) }));
      throw new Error(`this never came about: ${what}\n${JSON.stringify(seen)?.slice(0, 4000)}`, { cause: error });
    }
  }

  /** @param {import("../../../web/client/types.js").Connection} connection */
  is(connection) {
    return this.until(`it is ${connection}`, (wanted) => globalThis.client?.state.connection === wanted, connection);
  }

  live() {
    return this.is("live");
  }

  /** The notifications that the client reported. @returns {Promise<{id: string, title: string, missed: boolean}[]>} */
  told() {
    return this.run(() => told);
  }

  /** The events of one name. @param {string} name @returns {Promise<any[]>} */
  events(name) {
    return this.run((wanted) => events.filter(([each]) => each === wanted).map(([, event]) => event), name);
  }

  /** Waits until the client reported a notification of this title. @param {string} title */
  hears(title) {
    return this.until(`"${title}" is told`, (wanted) => globalThis.told.some((each) => each.title === wanted), title);
  }

  /**
   * Asserts that the client reported these notifications, each once, in this order and no others, and that the state is what the server has.
   * @param {string[]} titles
   */
  async heardExactly(titles) {
    if (titles.length > 0) await this.hears(titles[titles.length - 1]);
    await this.agrees();
    assert.deepEqual((await this.told()).map(({ title }) => title), titles);
  }

  /** Waits until the state is as new as the server's list, then compares the two. */
  async agrees() {
    const { items, unread, cursor } = await this.user.list();
    const isThere = (wanted) => client.state.cursor === wanted && !client.state.loading;
    await this.until(`it shows ${cursor}`, isThere, cursor);
    const state = await this.run(() => client.state);
    const shown = (list) => list.map(({ id, title, readAt, archivedAt }) => [id, title, readAt !== null, archivedAt !== null]);
    assert.deepEqual(shown(state.items), shown(items.slice(0, state.items.length)));
    assert.equal(state.hasMore, state.items.length < items.length);
    assert.equal(state.unread, unread);
  }

  close() {
    return this.page.close();
  }

  /** Ends its process, as a page that runs out of memory does. */
  async crash() {
    const crashed = this.page.waitForEvent("crash");
    // A request to a page that dies is never answered.
    const session = await this.page.context().newCDPSession(this.page);
    session.send("Page.crash").catch(() => {});
    await crashed;
  }

  /** Stops it in the middle of its work, as a page that computes for long; answers how to let it go on. */
  async hang() {
    const session = await this.page.context().newCDPSession(this.page);
    await session.send("Debugger.enable");
    const paused = new Promise((resolve) => session.once("Debugger.paused", resolve));
    await session.send("Debugger.pause");
    await paused;
    return () => session.send("Debugger.disable");
  }

  /** Lets time pass for it. @param {number} ms */
  async skip(ms) {
    await this.setClock(ms);
    await this.run((by) => {
      const now = performance.now.bind(performance);
      performance.now = () => now() + by;
    }, ms);
  }

  /** Sets its clock, as somebody does who corrects it: no time passes. @param {number} ms forward, or back if negative */
  setClock(ms) {
    return this.run((by) => {
      const now = Date.now;
      Date.now = () => now() + by;
    }, ms);
  }

  /** From its next event on its stream says nothing any more, as if the other end were gone. Later streams are good ones. */
  silence() {
    return this.run(
      () =>
        new Promise((resolve) => {
          const { prototype } = ReadableStreamDefaultReader;
          const { read } = prototype;
          /** @type {any} */
          let silent;
          prototype.read = async function () {
            silent ??= this;
            resolve(undefined);
            if (this !== silent) return read.call(this);
            while (!(await read.call(this)).done);
            return { done: true, value: undefined };
          };
        }),
    );
  }
}
