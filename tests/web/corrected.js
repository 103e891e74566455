// A computer's clock is set while pages are open: whatever counts by the server's time stays right.

import assert from "node:assert/strict";

import { BellTab } from "./harness/bell.js";
import { Browser, leader, publish, scenario, until } from "./harness/scenario.js";

const MINUTE_MS = 60000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** @param {import("./harness/tab.js").Tab} tab */
const isRight = (tab) => tab.run(([now, most]) => Math.abs(client.now() - now) < most, [Date.now(), MINUTE_MS]);

/** Waits until a tab that is live knows the time. @param {import("./harness/tab.js").Tab} tab */
const knowsTheTime = (tab) => until("it knows the time", async () => (await isRight(tab)) && (await tab.run(() => client.state.connection === "live")));

/** Waits until a tab has had a heartbeat more. @param {import("./harness/tab.js").Tab} tab */
async function goesOn(tab) {
  const count = (await tab.events("frame")).length;
  await tab.until("another heartbeat has come", (count) => events.filter(([name]) => name === "frame").slice(count).some(([, { name }]) => name === "heartbeat"), count);
}

/** An item that is put away for an hour comes back in an hour. @param {import("./harness/tab.js").Tab} tab @param {string} title */
async function snoozes(tab, title) {
  const id = await publish({ users: [tab.user.name], title });
  const centre = await BellTab.in(tab);
  await centre.open();
  await centre.row(title).hover();
  await centre.press(title, "Snooze");
  await centre.page.getByRole("button", { name: "For 1 hour" }).click();
  const item = () => tab.user.call("GET", `/api/notifications/${id}`);
  const minutes = (Date.parse(await until("it is snoozed", async () => (await item()).snoozedUntil)) - Date.now()) / MINUTE_MS;
  assert(minutes > 50 && minutes < 61, `it comes back in ${minutes} minutes`);
}

/** @param {import("../../web/client/types.js").Options["transport"]} transport */
async function staysRight(transport) {
  const browser = await Browser.of(`of ${transport}`);
  const tabs = [await browser.open({ transport }), await browser.open({ transport })];
  const leading = await leader(tabs);
  for (const byMs of [-DAY_MS, 2 * DAY_MS]) {
    for (const tab of tabs) await tab.setClock(byMs);
    if (byMs < 0) assert(await isRight(leading), "a clock that is set back is noticed at once");
    for (const tab of tabs) await knowsTheTime(tab);
    if (transport !== "polling") await goesOn(leading);
    for (const tab of tabs) await knowsTheTime(tab);
    await snoozes(tabs[1], `after ${byMs} over ${transport}`);
  }
  await browser.context.close();
}

/** The two clocks agree to the millisecond, after they did not. */
async function noticesThatThereIsNoDifference() {
  const browser = await Browser.of("u4");
  const tab = await browser.open({ shareConnection: false });
  const still = await tab.run((byMs) => {
    const still = Date.now() - byMs;
    Date.now = () => still;
    return still;
  }, DAY_MS);
  await tab.run(() => client.reload());
  await knowsTheTime(tab);
  const timestamp = new Date(still).toISOString();
  await browser.context.route("**/api/notifications?*", async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: { ...(await answer.json()), timestamp } });
  });
  await tab.run(() => client.reload());
  const ahead = await tab.run((still) => client.now() - still, still);
  assert(ahead >= 0 && ahead < MINUTE_MS, `it is ${ahead} ms ahead of the server`);
  await browser.context.close();
}

await scenario(async () => {
  for (const transport of /** @type {const} */ (["sse", "websocket", "polling"])) await staysRight(transport);
  await noticesThatThereIsNoDifference();
});
