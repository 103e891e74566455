// A tab without the connection says what the tab with the connection meets, and has it try again.

import assert from "node:assert/strict";

import { Browser, leader, scenario } from "./harness/scenario.js";

await scenario(async () => {
  const browser = await Browser.of("u1");
  const tabs = [await browser.open(), await browser.open()];
  const leading = await leader(tabs);
  const follower = tabs.find((tab) => tab !== leading) ?? leading;
  // Another tab that leads would ask for a token of its own, and hear the same.
  const { handOut } = browser;
  // Without a click the next attempt is an hour away.
  await leading.run(() => void (Math.random = () => 3600));
  browser.handOut = async () => "nonsense";
  await leading.run(() => client.drop());
  await leading.is("offline");
  await leading.run(() => client.reconnect());
  await leading.is("expired");
  await follower.until("it says why there is no connection", () => events.some(([name, status]) => name === "connection" && status.problem?.status === 401));
  const [first] = (await follower.events("connection")).filter(({ problem }) => problem?.status === 401);
  assert.equal(first.connection, "offline", "its own token may be a good one");
  assert(first.retryAt > 0);
  browser.handOut = handOut;
  await follower.run(() => client.reconnect());
  for (const tab of tabs) await tab.live();
  for (const tab of tabs) assert.equal(await tab.run(() => client.state.problem), null);
});
