// A computer's clock is hours or a day wrong, and its user notices nothing: whatever is shown or sent counts by the server's time.

import assert from "node:assert/strict";

import { BellTab } from "./harness/bell.js";
import { Desk } from "./harness/desk.js";
import { control, mount } from "./harness/elements.js";
import { Browser, User, publish, scenario, stage, until } from "./harness/scenario.js";

const MINUTE_MS = 60000;
const HOUR_MS = 60 * MINUTE_MS;

/** By how much the server was moved on. */
let moved = 0;

/** Asserts that a time is an hour from now, as the server sees it. @param {string} time */
function isInAnHour(time) {
  const minutes = (Date.parse(time) - Date.now()) / MINUTE_MS;
  assert(minutes > 50 && minutes < 61, `${time} is in ${minutes} minutes`);
}

/** @param {import("./harness/tab.js").Tab} tab */
async function knowsTheTime(tab) {
  const [its, here] = await tab.run(() => [client.now(), Date.now()]);
  assert(Math.abs(its - moved - Date.now()) < MINUTE_MS, `${its} is not ${Date.now()} and ${moved}, and its own clock says ${here}`);
  assert(Math.abs(here - Date.now()) > HOUR_MS, "its clock is wrong");
}

/** @param {import("./harness/tab.js").Tab} tab @param {string} title */
async function hears(tab, title) {
  await publish({ users: ["u1"], title });
  await tab.hears(title);
}

/** @param {string} user @param {number} aheadMs */
async function walk(user, aheadMs) {
  const at = (/** @type {number} */ minutes) => new Date(Date.now() + minutes * MINUTE_MS).toISOString();
  await publish({ users: [user], title: "Long ago", kind: "callback_due", dueAt: at(-125) });
  await publish({ users: [user], title: "Soon", kind: "callback_due", dueAt: at(30) });
  const browser = await Browser.of(user, { aheadMs });
  const centre = await BellTab.in(await browser.open());
  await centre.open();
  const soon = centre.row("Soon");
  await soon.getByText("Due in 30m").waitFor();
  await soon.getByText("now", { exact: true }).waitFor();
  assert.doesNotMatch((await soon.getAttribute("class")) ?? "", /\boverdue\b/);
  await centre.row("Long ago").getByText("2h overdue").waitFor();
  await centre.panel.getByText("Today").waitFor();
  await knowsTheTime(centre.tab);

  const { id } = await centre.tab.run(() => client.state.items.find(({ title }) => title === "Soon"));
  const api = new User(user);
  await soon.hover();
  await centre.press("Soon", "Snooze");
  await centre.page.getByRole("button", { name: "For 1 hour" }).click();
  await centre.shows(["Long ago"]);
  isInAnHour(await until("it is snoozed", async () => (await api.call("GET", `/api/notifications/${id}`)).snoozedUntil));
  const readAt = await centre.tab.run(() => {
    client.read(client.state.items[0].id);
    return client.state.items[0].readAt;
  });
  assert(Math.abs(Date.parse(readAt) - Date.now()) < MINUTE_MS, `${readAt} is now`);

  await mount(centre.tab, "settings");
  await control(centre.tab, "For 1 hour").click();
  isInAnHour(await until("the pause is stored", async () => (await api.call("GET", "/api/notifications/settings")).muteUntil));
  await centre.page.close();
}

await scenario(async () => {
  await walk("behind", -3 * HOUR_MS);
  await walk("ahead", 26 * HOUR_MS);

  for (const transport of /** @type {const} */ (["sse", "websocket", "polling"])) {
    const browser = await Browser.of("u1", { aheadMs: -30 * HOUR_MS });
    const tab = await browser.open({ transport });
    await knowsTheTime(tab);
    // What is said at the next connect counts, also in the tabs without a connection.
    const follower = await browser.open({ transport });
    await stage.advance((2 * HOUR_MS) / 1000);
    moved += 2 * HOUR_MS;
    // A poll that waits already answers by the time before. Every answer says the time, so nothing has to connect.
    if (transport === "polling") for (const title of ["one", "two"]) await hears(tab, title);
    else await tab.run(() => client.drop());
    for (const each of [tab, follower]) {
      await each.until("it counts by the new time", (wanted) => client.now() >= wanted, Date.now() + moved - MINUTE_MS);
      await knowsTheTime(each);
    }
    // A wait of this computer counts by its own clock.
    const centre = await BellTab.in(tab);
    await centre.open();
    await browser.context.setOffline(true);
    await tab.is("offline");
    const wait = centre.panel.getByText(/^Trying again/);
    assert.match(await wait.innerText(), /^Trying again( in [123]?\d s)?$/);
    await browser.context.close();
  }

  const desk = await Desk.of("desk", { aheadMs: 26 * HOUR_MS });
  await desk.publish("Due callback");
  await desk.page.locator("#callbacks").getByText(/^Due in (29|30) min/).waitFor();
});
