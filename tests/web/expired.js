// A token that the application gave once ends: the client reports it, sends no requests, and continues with another one.

import assert from "node:assert/strict";

import { Browser, publish, scenario, stage } from "./harness/scenario.js";

await scenario(async () => {
  const browser = await Browser.of("u1");
  const requests = browser.requests();
  const tab = await browser.open({ token: await stage.token("u1", { seconds: 12 }) }, "own");
  await tab.until("it is told that the token ends soon", () => events.some(([name]) => name === "expiring"));
  await publish({ users: ["u1"], title: "before" });
  await tab.hears("before");
  await tab.is("expired");
  assert.equal(await tab.run(() => client.state.problem.status), 401);
  const refused = await tab.run(() => client.read(client.state.items[0].id).catch(({ status }) => status));
  assert.equal(refused, 401);
  assert.equal(await tab.run(() => client.state.items[0].readAt), null, "what was refused is taken back");

  const sent = requests.length;
  await publish({ users: ["u1"], title: "meanwhile" });
  await tab.run((token) => client.setToken(token), await stage.token("u1"));
  await tab.live();
  await tab.heardExactly(["before", "meanwhile"]);
  assert.deepEqual((await tab.told()).map(({ missed }) => missed), [false, true]);
  assert.equal(requests.slice(sent).filter(({ path }) => path === "/api/notifications/stream").length, 1);
  assert(requests.filter(({ path }) => path !== "/api/openapi.json").every(({ authorization }) => authorization));
});
