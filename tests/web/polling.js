// A proxy that holds streams back: the client notices that no hello comes, polls, and misses nothing.

import assert from "node:assert/strict";

import { Browser, Publisher, scenario, stage } from "./harness/scenario.js";

await scenario(async () => {
  const browser = await Browser.of("u1", { url: await stage.bufferingProxy() });
  const requests = browser.requests();
  const tabs = [await browser.open({ helloTimeoutMs: 1000 }), await browser.open({ helloTimeoutMs: 1000 })];
  const publisher = new Publisher("u1", "n", 20);
  for (let instance = 0; instance < 3; instance++) {
    await publisher.more(10);
    await stage.kill(instance);
    await publisher.more(10);
    for (const tab of tabs) await tab.hears(publisher.titles[publisher.titles.length - 1]);
    await stage.start(instance);
  }
  const titles = await publisher.stop();
  for (const tab of tabs) await tab.heardExactly(titles);
  assert.equal(requests.filter(({ path }) => path === "/api/notifications/stream").length, 1, "streams are not tried again and again");
});
