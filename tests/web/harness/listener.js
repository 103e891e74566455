// A client of another author, which must not notice that instances die.

import assert from "node:assert/strict";

import { Publisher, holder } from "./server.js";
import { kill, start, terminate } from "./stage.js";
import { until } from "./until.js";

export class Listener {
  #user;
  /** @type {string[]} */
  #titles = [];
  /** @type {string[]} */
  #verdicts = [];
  /** @type {string | null} */
  #end = null;

  /** @param {string} user */
  constructor(user) {
    this.#user = user;
  }

  /** @param {{verdict: string}} hello */
  greeted({ verdict }) {
    this.#verdicts.push(verdict);
  }

  /** @param {{title: string}} notification */
  heard({ title }) {
    this.#titles.push(title);
  }

  /** @param {string | null} end why it will not come back; null: it will */
  failed(end) {
    this.#end = end;
  }

  /** Ends the instance that it is connected to, again and again, while notifications flow; it must receive each once, in order. */
  async survivesDeaths() {
    await this.#until("it is greeted", () => this.#verdicts.length > 0);
    const publisher = new Publisher(this.#user, "n", 20);
    for (const end of [kill, terminate, kill]) {
      await publisher.more(10);
      await this.#hears(publisher.titles);
      const instance = await holder();
      await end(instance);
      await publisher.more(10);
      await this.#hears(publisher.titles);
      await start(instance);
    }
    const titles = await publisher.stop();
    await this.#hears(titles);
    assert.deepEqual(this.#titles, titles);
    const [first, ...later] = this.#verdicts;
    assert.equal(first, "fresh");
    assert(later.length >= 3 && later.every((verdict) => verdict === "resumed"), later.join());
  }

  /** @param {string[]} titles */
  #hears(titles) {
    const last = titles[titles.length - 1];
    return this.#until(`"${last}" is heard`, () => this.#titles.includes(last));
  }

  /** @param {string} what @param {() => boolean} probe */
  async #until(what, probe) {
    await until(what, () => this.#end ?? probe());
    assert.equal(this.#end, null);
  }
}
