// Missed changes that cannot be replayed any more: the client loads the list again, by itself, and the stream continues from there.

import assert from "node:assert/strict";

import { Browser, publish, scenario, stage } from "./harness/scenario.js";

await scenario(async () => {
  const browser = await Browser.of("u1");
  const tabs = [await browser.open(), await browser.open()];
  await publish({ users: ["u1"], title: "before" });
  for (const tab of tabs) await tab.heardExactly(["before"]);
  await browser.context.setOffline(true);
  for (const tab of tabs) await tab.is("offline");
  await publish({ users: ["u1"], title: "forgotten" });
  await stage.forget("u1");
  await browser.context.setOffline(false);
  for (const tab of tabs) {
    await tab.until("it was reset", () => events.some(([name]) => name === "reset"));
    assert.deepEqual(await tab.events("reset"), [{ reason: "pruned" }]);
    await tab.agrees();
    assert.deepEqual(await tab.run(() => client.state.items.map(({ title }) => title)), ["forgotten", "before"]);
  }
  await publish({ users: ["u1"], title: "after" });
  for (const tab of tabs) await tab.heardExactly(["before", "after"]);
});
