// A tab with a notification centre, and the actions of a user in it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Every sort of item that the centre shows in its own way, oldest first, for a user. @param {string} user */
export function everySort(user) {
  const at = (/** @type {number} */ minutes) => new Date(Date.now() + minutes * 60000).toISOString();
  const threaded = { kind: "ticket:updated", priority: "medium", threadKey: "ticket 7", actionUrl: "/tickets/7" };
  return [
    { kind: "order_shipped", category: "orderUpdates", title: "An order", message: "of a kind that nobody knows" },
    { ...threaded, title: "Reply 1" },
    { ...threaded, title: "Reply 2" },
    { ...threaded, title: "Reply 3" },
    { kind: "payment_received", title: "A payment", message: "120.00 EUR", actionUrl: "/payments/7", imageUrl: "/assets/icon.svg" },
    { kind: "missed_call", title: "A missed call", message: "+49 30 1234567", actionUrl: "/calls/9", imageUrl: "/assets/no-such-image.svg" },
    { kind: "callback_due", title: "To call soon", dueAt: at(30), actionUrl: "/calls/1" },
    { kind: "callback_due", title: "To call long ago", dueAt: at(-125), actionUrl: "/calls/2" },
    { kind: "call_escalation", title: "An escalation", message: "words ".repeat(80), actionUrl: "/calls/3" },
    { title: "<b>A plain one</b>", message: "مرحبا" },
  ].map((body) => ({ users: [user], ...body }));
}

export class BellTab {
  /**
   * Puts a notification centre with the tab's client into its page.
   * @param {import("./tab.js").Tab} tab @param {Record<string, string>} [attributes]
   */
  static async in(tab, attributes = {}) {
    await tab.run(async (given) => {
      await import(/** @type {any} */ ("/assets/elements/bell.js"));
      const bell = Object.assign(document.createElement("tidings-bell"), { client });
      for (const [name, value] of Object.entries(given)) bell.setAttribute(name, value);
      const after = Object.assign(document.createElement("button"), { textContent: "After", id: "after" });
      document.body.replaceChildren(bell, after);
      /** @type {any} */ (globalThis).bell = bell;
      /** @type {any} */ (globalThis).opened = [];
    }, attributes);
    return new BellTab(tab);
  }

  /** @param {import("./tab.js").Tab} tab */
  constructor(tab) {
    this.tab = tab;
    this.page = tab.page;
    this.button = tab.page.locator("tidings-bell button.bell");
    this.badge = tab.page.locator("tidings-bell .badge");
    this.panel = tab.page.locator("tidings-bell .panel");
    this.rows = this.panel.locator(".row");
  }

  async open() {
    await this.button.click();
    await this.panel.waitFor();
  }

  /** @param {string} title */
  row(title) {
    return this.rows.filter({ has: this.page.locator(".open", { hasText: title }) });
  }

  /** @param {string} title @param {string} name */
  press(title, name) {
    return this.row(title).getByRole("button", { name, exact: true }).click();
  }

  /** Waits until these are the titles, from top to bottom. @param {string[]} titles */
  async shows(titles) {
    const shown = () => this.tab.run(() => [...bell.shadowRoot.querySelectorAll(".row .title")].map(({ textContent }) => textContent));
    const isThere = (wanted) => {
      const found = [...bell.shadowRoot.querySelectorAll(".row .title")].map(({ textContent }) => textContent);
      return JSON.stringify(found) === JSON.stringify(wanted);
    };
    await this.tab.until(`the list is ${titles}`, isThere, titles).catch(async (error) => assert.deepEqual(await shown(), titles, error));
  }

  /** Waits until the focus is at an item's title, or at the element with this name, id or label. @param {string} wanted */
  hasFocus(wanted) {
    const isThere = (name) => {
      const active = bell.shadowRoot.activeElement ?? document.activeElement;
      return [active.querySelector(".title")?.textContent, active.getAttribute("aria-label"), active.id, active.textContent].includes(name);
    };
    return this.tab.until(`"${wanted}" has the focus`, isThere, wanted);
  }

  /** Waits until this is said aloud. @param {"polite" | "assertive"} how @param {string} text */
  says(how, text) {
    const isSaid = ([how, text]) => bell.shadowRoot.querySelector(`[aria-live=${how}]`).textContent.includes(text);
    return this.tab.until(`"${text}" is said`, isSaid, [how, text]);
  }

  /** Asserts that the page has no fault of accessibility. @param {string} state */
  async isAccessible(state) {
    await this.page.evaluate(`globalThis.axe ?? (() => { ${axe} })()`);
    const { violations } = await this.tab.run(() => /** @type {any} */ (globalThis).axe.run("tidings-bell", { rules: { "label-content-name-mismatch": { enabled: true } } }));
    const told = violations.map(({ id, nodes }) => [id, nodes.map(({ target }) => target.flat().join(" "))]);
    assert.deepEqual(told, [], `axe finds this while it is ${state}`);
  }
}
