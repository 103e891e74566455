// "Mark all as read" marks what the page shows, and nothing that arrives meanwhile.

import assert from "node:assert/strict";

import { BellTab } from "./harness/bell.js";
import { Browser, publish, scenario, until } from "./harness/scenario.js";

/** Publishes something critical while a request of the page is on its way. @param {import("playwright-core").Page} page @param {string} path @param {string} title */
function overtake(page, path, title) {
  return page.route(`**${path}`, async (route) => {
    await publish({ users: ["u1"], kind: "call_escalation", title });
    await route.continue();
  }, { times: 1 });
}

/** @param {BellTab} centre @param {string[]} titles */
async function unreadAre(centre, titles) {
  const { tab } = centre;
  await tab.until(`${titles} are unread`, (wanted) => client.state.unread === wanted.length && client.state.items.filter(({ readAt }) => !readAt).map(({ title }) => title).join() === wanted.join(), titles);
  await until(`the server has ${titles.length} unread`, async () => (await tab.user.list()).unread === titles.length);
}

await scenario(async () => {
  const browser = await Browser.of("u1");
  const centre = await BellTab.in(await browser.open());
  const { page, tab } = centre;
  for (const title of ["first", "second"]) await publish({ users: ["u1"], title });
  await unreadAre(centre, ["second", "first"]);
  await centre.open();
  await overtake(page, "/api/notifications/read-all", "too late to be seen");
  await page.getByRole("button", { name: "Mark all as read" }).click();
  await unreadAre(centre, ["too late to be seen"]);
  assert.equal(await centre.badge.innerText(), "1");
  assert((await tab.told()).some(({ title }) => title === "too late to be seen"));

  // A list that an application has narrowed shows only some of them.
  for (const filter of [{ q: "nothing has this in it" }, { kind: "report" }]) {
    await tab.run((filter) => client.setFilter(filter), filter);
    await page.getByText("Nothing matches").waitFor();
  }
  await publish({ users: ["u1"], kind: "report", title: "a report" });
  await centre.shows(["a report"]);
  await overtake(page, "/api/notifications/bulk", "another escalation");
  await page.getByRole("button", { name: "Mark these as read" }).click();
  await tab.until("the report is read", () => client.state.items[0].readAt !== null && client.state.unread === 2);
  await tab.run(() => client.setFilter({}));
  await unreadAre(centre, ["another escalation", "too late to be seen"]);

  // Filters of `connect` choose events. The list and its count are those of a reload.
  const narrow = await browser.open({ kinds: ["report"], minPriority: "high", shareConnection: false });
  await publish({ users: ["u1"], title: "of another kind", priority: "high" });
  await publish({ users: ["u1"], kind: "report", title: "of less priority", priority: "medium" });
  await publish({ users: ["u1"], kind: "report", title: "wanted", priority: "high" });
  await narrow.heardExactly(["wanted"]);
  const shown = () => narrow.run(() => ({ unread: client.state.unread, titles: client.state.items.map(({ title }) => title) }));
  const before = await shown();
  assert.deepEqual(before.titles.slice(0, 3), ["wanted", "of less priority", "of another kind"]);
  await narrow.run(() => client.reload());
  assert.deepEqual(await shown(), before);
});
