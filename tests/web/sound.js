// The sound of critical items: once over all tabs, once the user has done something with the page, and never when it is switched off.

import assert from "node:assert/strict";

import { control, mount, shows } from "./harness/elements.js";
import { Browser, User, publish, scenario, until } from "./harness/scenario.js";

const critical = { users: ["u1"], priority: "critical" };

await scenario(async () => {
  const browser = await Browser.of("u1");
  const tabs = [await browser.open(), await browser.open()];
  for (const tab of tabs) {
    await listenIn(tab);
    await mount(tab, "toasts");
  }
  /** How often a sound began, in all tabs. */
  const sounds = async () => (await Promise.all(tabs.map((tab) => tab.run(() => globalThis.sounds)))).reduce((sum, each) => sum + each);

  await publish({ ...critical, title: "before" });
  for (const tab of tabs) await shows(tab, ["before"]);
  assert.equal(await tabs[0].run(() => globalThis.contexts), 0, "nobody has touched the page");
  for (const tab of tabs) await tab.page.mouse.click(1, 1);

  await publish({ ...critical, title: "loud" });
  for (const tab of tabs) await shows(tab, ["loud", "before"]);
  await until("it is heard", async () => (await sounds()) > 0);

  // Muted, nothing has the channel of toasts.
  await new User("u1").call("PATCH", "/api/notifications/settings", { muteUntil: "forever" });
  await publish({ ...critical, title: "muted" });
  await new User("u1").call("PATCH", "/api/notifications/settings", { muteUntil: null });
  for (const tab of tabs) await tab.hears("muted");

  await control(tabs[0], "Mute sound").first().click();
  for (const tab of tabs) await control(tab, "Mute sound").first().waitFor({ state: "detached" });
  await publish({ ...critical, title: "silent" });
  for (const tab of tabs) await shows(tab, ["silent", "loud", "before"]);
  assert.equal(await sounds(), 1);
});

/** Counts the sounds. @param {import("./harness/tab.js").Tab} tab */
function listenIn(tab) {
  return tab.run(() => {
    const page = /** @type {any} */ (globalThis);
    Object.assign(page, { contexts: 0, sounds: 0 });
    // The browser counts every action of the test in the page as the user's.
    Object.defineProperty(navigator, "userActivation", { value: { hasBeenActive: false } });
    page.AudioContext = class extends AudioContext {
      constructor() {
        super();
        page.contexts++;
      }
      resume() {
        page.sounds++;
        return super.resume();
      }
    };
  });
}
