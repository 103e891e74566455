// The list, the badge and the actions on items agree with the server.

import assert from "node:assert/strict";

import { Browser, User, publish, scenario } from "./harness/scenario.js";

await scenario(async () => {
  const ids = [];
  for (let number = 1; number <= 5; number++) ids.push(await publish({ users: ["u1"], title: `before ${number}` }));
  const browser = await Browser.of("u1");
  const tab = await browser.open({ pageSize: 3 });
  await tab.agrees();
  assert.deepEqual(await tab.told(), [], "what was there already is no news");
  assert.equal(await tab.run(() => client.state.items.length), 3);
  await tab.run(() => client.loadMore());
  assert.equal(await tab.run(() => client.state.items.length), 5);
  await tab.agrees();

  await publish({ users: ["u1"], title: "live", priority: "high", data: { invoice: 7 } });
  await tab.heardExactly(["live"]);
  const [top] = (await new User("u1").list()).items;
  const { unread: _, ...shown } = await tab.run(() => client.state.items[0]);
  assert.deepEqual(shown, top);
  assert.equal(await tab.run(() => client.state.unread), 6);

  await tab.run((id) => client.read(id), ids[4]);
  await tab.run((id) => client.archive(id), ids[3]);
  await tab.run((id) => client.remove(id), ids[2]);
  const tomorrow = new Date(Date.now() + 86400000).toISOString();
  await tab.run(([id, until]) => client.snooze(id, new Date(until)), [ids[1], tomorrow]);
  await tab.agrees();
  assert.deepEqual(await tab.run(() => client.state.items.map(({ title }) => title)), ["live", "before 5", "before 1"]);
  assert.equal(await tab.run(() => client.state.unread), 2);

  await tab.run(() => client.setFilter({ unreadOnly: true }));
  assert.deepEqual(await tab.run(() => client.state.items.map(({ title }) => title)), ["live", "before 1"]);
  await tab.run(() => client.setFilter({}));
  await tab.run(() => client.readAll());
  await tab.agrees();
  assert.equal(await tab.run(() => client.state.unread), 0);
  await tab.heardExactly(["live"]);
});
