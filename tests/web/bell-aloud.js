// What arrives is said aloud: gently, at once where it is critical, and by its number where it is much.

import { BellTab } from "./harness/bell.js";
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
});
