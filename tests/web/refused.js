// An action shows at once, in all its consequences, and is undone when the server refuses it.

import assert from "node:assert/strict";

import { Browser, publish, scenario } from "./harness/scenario.js";

await scenario(async () => {
  for (const title of ["a", "b", "c"]) await publish({ users: ["u1"], title });
  const browser = await Browser.of("u1");
  const [tab, other] = [await browser.open(), await browser.open()];
  const before = await seen(tab);
  assert.deepEqual(before, { titles: ["c", "b", "a"], read: 0, unread: 3 });

  /** @type {(value: any) => void} */
  let refuse = () => {};
  const refusal = new Promise((resolve) => (refuse = resolve));
  const body = JSON.stringify({ type: "about:blank", title: "Not today", status: 409 });
  for (const pattern of ["**/read", "**/archive", "**/read-all"]) {
    await browser.context.route(pattern, async (route) => {
      await refusal;
      await route.fulfill({ status: 409, contentType: "application/problem+json", body });
    });
  }
  await tab.run(() => {
    const [c, b] = client.state.items;
    const actions = [client.read(c.id), client.archive(b.id), client.readAll()];
    globalThis.outcomes = Promise.all(actions.map((each) => each.then(() => "done", ({ status, title }) => `${status} ${title}`)));
  });
  assert.deepEqual(await seen(tab), { titles: ["c", "a"], read: 2, unread: 0 }, "it shows at once");
  assert.deepEqual(await seen(other), before, "other tabs are told by the server alone");
  await publish({ users: ["u1"], title: "d" });
  await tab.hears("d");
  assert.deepEqual(await seen(tab), { titles: ["d", "c", "a"], read: 2, unread: 1 }, "what comes after read-all is unread");

  refuse(null);
  assert.deepEqual(await tab.run(() => globalThis.outcomes), Array(3).fill("409 Not today"));
  assert.deepEqual(await seen(tab), { titles: ["d", "c", "b", "a"], read: 0, unread: 4 });
  assert.equal((await tab.events("problem")).length, 3);
  await tab.agrees();

  // An answer that never comes is a refusal as well.
  await browser.context.unrouteAll();
  await browser.context.route("**/unread", (route) => route.abort());
  await tab.run(() => client.readAll());
  await tab.run(() => client.unread(client.state.items[0].id).catch(() => {}));
  await tab.agrees();
  assert.equal((await seen(tab)).unread, 0);

  // Without a list nothing was shown, so nothing can be marked.
  await browser.context.route("**/api/notifications?*", (route) => route.abort());
  const listless = await browser.begin();
  await listless.is("offline");
  assert.equal(await listless.run(() => client.readAll().then(() => "done", ({ title }) => title)), "There is no list");
  assert((await listless.events("problem")).some(({ message }) => message === "There is no list"), "it is reported as well");
});

/** @param {import("./harness/tab.js").Tab} tab */
function seen(tab) {
  return tab.run(() => {
    const { items, unread } = client.state;
    return { titles: items.map(({ title }) => title), read: items.filter(({ readAt }) => readAt).length, unread };
  });
}
