// Other credentials: the cookie alone, and one-time tickets beside it, over the deaths of instances.

import assert from "node:assert/strict";

import { Browser, Publisher, User, holder, scenario, stage } from "./harness/scenario.js";

await scenario(async () => {
  const tabs = [];
  for (const proof of ["own", "ticket"]) {
    const browser = await Browser.of("u1");
    const requests = browser.requests();
    const cookie = { name: "tidings_token", value: await stage.token("u1"), url: browser.url, httpOnly: true };
    await browser.context.addCookies([cookie]);
    browser.handOut = async () => (await new User("u1").call("POST", "/api/stream-tickets")).ticket;
    const tab = await browser.open({}, proof);
    tabs.push(tab);
    assert(requests.every(({ authorization }) => !authorization));
  }
  const publisher = new Publisher("u1", "n", 20);
  for (let round = 0; round < 3; round++) {
    await publisher.more(10);
    const instance = await holder();
    await stage.kill(instance);
    await publisher.more(10);
    await stage.start(instance);
  }
  const titles = await publisher.stop();
  for (const tab of tabs) {
    await tab.heardExactly(titles);
    await tab.run(() => client.readAll());
    await tab.agrees();
  }
});
