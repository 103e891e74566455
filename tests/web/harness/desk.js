// The page at "/", used as a newcomer uses it.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

import { Browser } from "./browser.js";
import { token } from "./stage.js";

export class Desk {
  /** @param {import("playwright-core").Page} page */
  constructor(page) {
    this.page = page;
    page.setDefaultTimeout(60000);
    page.on("pageerror", (error) => console.error("in the page:", error));
  }

  /** The page with a token that no server accepts. */
  static async refused() {
    const browser = await Browser.of("nobody");
    const desk = new Desk(await browser.context.newPage());
    await desk.page.goto(`${browser.url}/#token=none`);
    await desk.reads("gate-title", "The token is not accepted");
    return desk;
  }

  /** The page of a user, live. @param {string} user @param {{scope?: string, context?: import("playwright-core").BrowserContextOptions, aheadMs?: number}} [more] */
  static async of(user, { scope = "publish", context = {}, aheadMs } = {}) {
    const browser = await Browser.of(user, { context, aheadMs });
    const desk = new Desk(await browser.context.newPage());
    await desk.page.goto(`${browser.url}/#token=${await token(user, { scope })}`);
    await desk.is("live");
    return desk;
  }

  /** Presses a button by the keyboard: toasts may lie over it. @param {string} label how its label begins */
  press(label) {
    return this.page.locator("main").getByRole("button", { name: new RegExp(`^${label}`) }).first().press("Enter");
  }

  /** @param {string} example */
  async publish(example) {
    const { published } = await this.counts();
    await this.page.locator("#examples").getByRole("button", { name: example, exact: true }).press("Enter");
    await this.press("Publish");
    await this.counted({ published: published + 1 });
  }

  /** Gives the gate a token. @param {string} token */
  async enter(token) {
    await this.page.locator("#token").fill(token);
    await this.press("Connect");
  }

  /** Publishes a text of the editor. @param {any} body a text, or a value for JSON */
  async write(body) {
    await this.page.locator("#body").fill(typeof body === "string" ? body : JSON.stringify(body));
    await this.press("Publish");
  }

  /** @param {string} connection */
  is(connection) {
    return this.page.waitForFunction((wanted) => globalThis.tidings?.state.connection === wanted, connection, { polling: 50 });
  }

  /** The counters that the page shows. @returns {Promise<Record<string, number>>} */
  counts() {
    return this.page.evaluate(() => Object.fromEntries(
      ["published", "arrived", "missed", "twice"].map((name) => [name, Number(document.getElementById(`count-${name}`).textContent)])));
  }

  /** Waits until counters show so much. @param {Record<string, number>} wanted */
  async counted(wanted) {
    const isSo = (counts) => Object.entries(counts).every(([name, count]) => document.getElementById(`count-${name}`).textContent === String(count));
    await this.page.waitForFunction(isSo, wanted, { polling: 50 }).catch(async (cause) => {
      throw new Error(`never ${JSON.stringify(wanted)}: ${JSON.stringify(await this.counts())}`, { cause });
    });
  }

  /** @param {string} id @param {string | RegExp} text */
  reads(id, text) {
    return this.page.locator(`#${id}`).filter({ hasText: text, visible: true }).waitFor();
  }

  /** Asserts that the page has no fault of accessibility; the context bypasses the Content-Security-Policy for it. */
  async isAccessible() {
    await this.page.addScriptTag({ path: createRequire(import.meta.url).resolve("axe-core") });
    const found = await this.page.evaluate(async () => {
      const { violations } = await globalThis.axe.run();
      return violations.map(({ id, nodes }) => [id, ...nodes.map(({ target }) => String(target))]);
    });
    assert.deepEqual(found, []);
  }
}
