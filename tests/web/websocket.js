// The client library over WebSockets: the same promises, over the deaths of instances, tokens that end, and tabs.

import assert from "node:assert/strict";

import { Browser, Publisher, holder, leader, openStreams, publish, scenario, stage, until } from "./harness/scenario.js";

await scenario(async () => {
  const browser = await Browser.of("u1");
  const requests = browser.requests();
  /** @type {string[]} */
  const sockets = [];
  browser.context.on("page", (page) => page.on("websocket", (socket) => sockets.push(new URL(socket.url()).pathname)));
  // For the list, for the socket, to go on with it.
  const lifetimes = [3600, 5, 3600];
  browser.handOut = () => stage.token("u1", { seconds: lifetimes.shift() });
  let tabs = [await browser.open({ transport: "websocket" }), await browser.open({ transport: "websocket" })];
  await openStreams(1);
  assert.deepEqual(sockets, ["/ws/notifications"]);
  await until("the socket goes on with another token", () => requests.some(({ path }) => /^\/api\/streams\/[^/]+\/token$/.test(path)));

  const publisher = new Publisher("u1", "n", 20);
  for (const end of [stage.kill, stage.terminate, stage.kill]) {
    await publisher.more(10);
    const instance = await holder();
    await end(instance);
    await publisher.more(10);
    for (const tab of tabs) await tab.hears(publisher.titles[publisher.titles.length - 1]);
    await stage.start(instance);
  }
  tabs.push(await browser.open({ transport: "websocket" }));
  const late = publisher.titles.length;
  const first = await leader(tabs);
  await first.close();
  const left = tabs.filter((tab) => tab !== first);
  await leader(left);
  await publisher.more(10);
  const titles = await publisher.stop();
  await left[0].heardExactly(titles);
  const heard = (await left[1].told()).map(({ title }) => title);
  assert.deepEqual(heard, titles.slice(-heard.length));
  assert(heard.length >= titles.length - late);

  await browser.context.setOffline(true);
  for (const tab of left) await tab.is("offline");
  await publish({ users: ["u1"], title: "away" });
  await browser.context.setOffline(false);
  await left[0].heardExactly([...titles, "away"]);
  assert.equal((await left[0].told()).pop().missed, true);
  assert(!requests.some(({ path }) => path === "/api/notifications/stream"));
});
