// The network goes and comes back: the changes in between are reported once, as missed, and in one piece.

import assert from "node:assert/strict";

import { Browser, User, publish, scenario } from "./harness/scenario.js";

await scenario(async () => {
  const browser = await Browser.of("u1");
  const tabs = [await browser.open(), await browser.open()];
  const read = await publish({ users: ["u1"], title: "before" });
  for (const tab of tabs) await tab.heardExactly(["before"]);
  await browser.context.setOffline(true);
  for (const tab of tabs) await tab.is("offline");
  assert(await tabs[0].run(() => client.state.retryAt > 0), "it says when it tries again");
  for (const title of ["away 1", "away 2", "away 3"]) await publish({ users: ["u1"], title });
  await new User("u1").call("POST", `/api/notifications/${read}/read`);
  await browser.context.setOffline(false);
  for (const tab of tabs) {
    await tab.live();
    await tab.heardExactly(["before", "away 1", "away 2", "away 3"]);
    assert.deepEqual((await tab.told()).map(({ missed }) => missed), [false, true, true, true]);
    const summaries = await tab.events("caughtUp");
    assert.deepEqual(summaries.map(({ items }) => items.map(({ title }) => title)), [["away 1", "away 2", "away 3"]]);
  }
  await publish({ users: ["u1"], title: "after" });
  for (const tab of tabs) await tab.hears("after");
  assert.equal((await tabs[0].told()).pop().missed, false);
});
