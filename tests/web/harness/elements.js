// The elements in the tabs of a scenario, as users find them.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

/**
 * Puts an element into a tab's page.
 * @param {import("./tab.js").Tab} tab
 * @param {"toasts" | "settings"} name
 * @param {Record<string, any>} [properties]
 */
export function mount(tab, name, properties = {}) {
  return tab.run(async ([name, properties]) => {
    await import(`/assets/elements/${name}.js`);
    globalThis.element = Object.assign(document.createElement(`tidings-${name}`), { client, ...properties });
    document.body.append(globalThis.element);
  }, [name, properties]);
}

/** Waits until these toasts, and no others, are seen in this order. @param {import("./tab.js").Tab} tab @param {string[]} titles */
export function shows(tab, titles) {
  const isSo = (wanted) => {
    const seen = [...globalThis.element.shadowRoot.querySelectorAll('[part~="toast"] [part="title"]')];
    return JSON.stringify(seen.map(({ textContent }) => textContent)) === wanted;
  };
  return tab.until(`the toasts ${titles} are seen`, isSo, JSON.stringify(titles));
}

/** The button or link of a tab with this name, within the element. @param {import("./tab.js").Tab} tab @param {string} name @param {"button" | "link"} [role] */
export const control = (tab, name, role = "button") => tab.page.locator("tidings-toasts, tidings-settings").getByRole(role, { name, exact: true });

/** The checkbox of this name in the settings. @param {import("./tab.js").Tab} tab @param {string | RegExp} name */
export const box = (tab, name) => tab.page.locator("tidings-settings").getByRole("checkbox", { name, exact: true });

/** Makes a tab visible, or not, as far as its page can find out. @param {import("./tab.js").Tab} tab @param {boolean} is */
export function see(tab, is) {
  return tab.run((state) => {
    Object.defineProperty(document, "visibilityState", { get: () => state, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, is ? "visible" : "hidden");
}

/** Records in a tab its desktop notifications. @param {import("./tab.js").Tab} tab @param {NotificationPermission} permission */
export function watchDesktop(tab, permission) {
  return tab.run((given) => {
    const page = /** @type {any} */ (globalThis);
    Object.assign(page, { shown: [], asked: 0 });
    page.Notification = class {
      static permission = given;
      static async requestPermission() {
        page.asked++;
        return (this.permission = "granted");
      }
      constructor(title, { tag, icon = "" }) {
        Object.assign(this, { title, tag, icon, isOpen: true });
        page.shown.push(this);
      }
      close() {
        this.isOpen = false;
        this.onclose?.();
      }
    };
  }, permission);
}

/** The desktop notifications of tabs by now, together. @param {import("./tab.js").Tab[]} tabs @returns {Promise<{title: string, tag: string, icon: string, isOpen: boolean}[]>} */
export async function onDesktop(tabs) {
  const all = await Promise.all(tabs.map((tab) => tab.run(() => globalThis.shown.map(({ title, tag, icon, isOpen }) => ({ title, tag, icon, isOpen })))));
  return all.flat();
}

/** Asserts that a tab has no fault of accessibility. @param {import("./tab.js").Tab} tab */
export async function isAccessible(tab) {
  await tab.page.evaluate(readFileSync(new URL(import.meta.resolve("axe-core/axe.min.js")), "utf8"));
  const found = await tab.run(async () => {
    const { violations } = await globalThis.axe.run(globalThis.element);
    return violations.map(({ id, nodes }) => [id, ...nodes.map(({ target }) => String(target))]);
  });
  assert.deepEqual(found, []);
}
