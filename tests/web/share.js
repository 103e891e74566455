// Ten tabs of a browser open one connection, and receive everything through it.

import assert from "node:assert/strict";

import { Browser, leader, openStreams, publish, scenario } from "./harness/scenario.js";

await scenario(async () => {
  const browser = await Browser.of("u1");
  const tabs = [];
  for (let number = 0; number < 10; number++) tabs.push(await browser.open());
  await openStreams(1);
  await publish({ users: ["u1"], title: "one" });
  for (const tab of tabs) await tab.heardExactly(["one"]);
  const frames = await Promise.all(tabs.map((tab) => tab.events("frame")));
  assert.equal(frames.flat().filter(({ name }) => name === "hello").length, 1, "one stream was opened, and it lasts");

  const first = await leader(tabs);
  await first.close();
  const left = tabs.filter((tab) => tab !== first);
  await leader(left);
  await openStreams(1);
  await publish({ users: ["u1"], title: "two" });
  for (const tab of left) await tab.heardExactly(["one", "two"]);

  const other = await Browser.of("u2");
  const stranger = await other.open();
  await openStreams(2);
  await stranger.heardExactly([]);
});
