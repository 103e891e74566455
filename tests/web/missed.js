// Missed notifications are one toast; a single one is itself.

import assert from "node:assert/strict";

import { control, isAccessible, mount, see, shows } from "./harness/elements.js";
import { Browser, User, publish, scenario } from "./harness/scenario.js";

const durations = { low: Infinity, medium: Infinity, high: Infinity, critical: Infinity };

await scenario(async () => {
  const browser = await Browser.of("u1");
  const tab = await browser.open();
  await mount(tab, "toasts", { durations });

  await away(browser, tab, ["one", "two", "three", "four"]);
  await shows(tab, ["4 notifications while you were away"]);
  await isAccessible(tab);
  const [four] = (await new User("u1").list()).items;
  await new User("u1").call("POST", `/api/notifications/${four.id}/read`);
  await shows(tab, ["3 notifications while you were away"]);
  await control(tab, "Show all").click();
  await shows(tab, ["three", "two", "one"]);
  await control(tab, "Close all").click();

  await away(browser, tab, ["alone"]);
  await shows(tab, ["alone"]);
  await control(tab, "Close: alone").click();

  // The same holds in a hidden tab.
  await see(tab, false);
  for (const title of ["a", "b", "c"]) await publish({ users: ["u1"], title });
  await publish({ users: ["u1"], title: "critical", priority: "critical" });
  await tab.hears("critical");
  await see(tab, true);
  await shows(tab, ["critical", "3 notifications while you were away"]);
  assert.equal((await tab.events("problem")).length, 0);
});

/** @param {Browser} browser @param {import("./harness/tab.js").Tab} tab @param {string[]} titles */
async function away(browser, tab, titles) {
  await browser.context.setOffline(true);
  await tab.is("offline");
  for (const title of titles) await publish({ users: ["u1"], title });
  await browser.context.setOffline(false);
  await tab.live();
}
