// A screen reader announces arrivals: politely, at once if critical, as a number if there are many, and once if toasts announce them.

import assert from "node:assert/strict";

import { BellTab } from "./harness/bell.js";
import { mount, shows } from "./harness/elements.js";
import { Browser, publish, scenario } from "./harness/scenario.js";

await scenario(async () => {
  const browser = await Browser.of("u1");
  const tab = await BellTab.in(await browser.open());
  await publish({ users: ["u1"], title: "gentle" });
  await tab.says("polite", "New: gentle");
  await publish({ users: ["u1"], title: "urgent", priority: "critical" });
  await tab.says("assertive", "Critical: urgent");

  await browser.context.setOffline(true);
  await tab.tab.is("offline");
  for (let number = 1; number <= 5; number++) await publish({ users: ["u1"], title: `missed ${number}` });
  await browser.context.setOffline(false);
  await tab.says("polite", "5 new notifications");
  await tab.tab.heardExactly(["gentle", "urgent", "missed 1", "missed 2", "missed 3", "missed 4", "missed 5"]);

  await mount(tab.tab, "toasts");
  await publish({ users: ["u1"], title: "by a toast" });
  await shows(tab.tab, ["by a toast"]);
  await publish({ users: ["u1"], title: "without a toast", kind: "call_completed" });
  await tab.says("polite", "New: without a toast");
  const said = await tab.tab.run(() => bell.shadowRoot.querySelector("[aria-live=polite]").textContent);
  assert.doesNotMatch(said, /by a toast/);
});
