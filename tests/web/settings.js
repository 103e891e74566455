// The settings: saved at once, seen in every tab, taken back when they are refused.

import assert from "node:assert/strict";

import { box, control, isAccessible, mount } from "./harness/elements.js";
import { Browser, User, scenario, until } from "./harness/scenario.js";

const user = new User("u1");
const settings = () => user.call("GET", "/api/notifications/settings");

await scenario(async () => {
  await user.call("PUT", "/api/topic-kinds/queue", { access: "open" });
  for (const name of ["queue:a", "queue:b"]) await user.call("PUT", `/api/topics/${name}/subscription`, {});
  const browser = await Browser.of("u1");
  const [tab, other] = [await browser.open(), await browser.open()];
  for (const each of [tab, other]) await mount(each, "settings");

  await channels(tab, other);
  await refused(browser, tab);
  await quiet(tab, other);
  await paused(tab, other);
  await topics(tab, other);
  await isAccessible(tab);
});

/** @param {import("./harness/tab.js").Tab} tab @param {import("./harness/tab.js").Tab} other */
async function channels(tab, other) {
  await box(tab, "Payments: Email").check();
  await checked(other, "Payments: Email", true);
  await saved(async () => (await settings()).categories.payments.email === true);

  // The choice for a category decides, except for required channels.
  for (const each of [tab, other]) await control(each, "Calls").click();
  await box(tab, "Call completed: SMS").check();
  await checked(other, "Calls: SMS", "mixed");
  await box(tab, "Calls: Pop-up").click();
  await checked(other, "Call completed: Pop-up", true);
  await box(tab, "Calls: Pop-up").click();
  await checked(other, "High-value call: Pop-up", false);
  await checked(other, "Call escalation: Pop-up", true);
  await box(tab, "Call escalation: Pop-up").click({ force: true });
  await checked(tab, "Call escalation: Pop-up", true);
  assert.match(await box(tab, "Call escalation: Pop-up").getAttribute("title"), /Required/);
}

/** @param {Browser} browser @param {import("./harness/tab.js").Tab} tab */
async function refused(browser, tab) {
  const body = JSON.stringify({ type: "about:blank", title: "Not today", status: 400 });
  /** @type {(value: any) => void} */
  let refuse = () => {};
  const refusal = new Promise((resolve) => (refuse = resolve));
  await browser.context.route("**/settings", async (route) => {
    if (route.request().method() !== "PATCH") return route.continue();
    await refusal;
    await route.fulfill({ status: 400, contentType: "application/problem+json", body });
  });
  await box(tab, "Tickets: Inbox").click();
  await checked(tab, "Tickets: Inbox", false);
  await checked(tab, "Tickets: Pop-up", false);
  refuse(null);
  await checked(tab, "Tickets: Inbox", true);
  await tab.page.locator("tidings-settings").getByRole("alert").filter({ hasText: "Not today" }).waitFor();
  await browser.context.unrouteAll();
}

/** @param {import("./harness/tab.js").Tab} tab @param {import("./harness/tab.js").Tab} other */
async function quiet(tab, other) {
  await box(tab, /^Be quiet/).check();
  const from = (/** @type {import("./harness/tab.js").Tab} */ each) => each.page.locator("tidings-settings").getByLabel("From");
  await from(tab).fill("23:15");
  await box(tab, "Sunday").uncheck();
  await other.until("the hours are those", () => globalThis.element.shadowRoot.querySelector("input[type=time]").value === "23:15");
  await checked(other, "Sunday", false);
  const { quietHours } = await settings();
  const timeZone = await tab.run(() => Intl.DateTimeFormat().resolvedOptions().timeZone);
  assert.deepEqual(quietHours, { from: "23:15", to: "07:00", timeZone, days: ["mon", "tue", "wed", "thu", "fri", "sat"] });
  await from(tab).fill("07:00");
  await tab.page.locator("tidings-settings").getByRole("alert").filter({ hasText: "must not end" }).waitFor();
  assert.equal((await settings()).quietHours.from, "23:15");
  await box(tab, /^Be quiet/).uncheck();
  await saved(async () => (await settings()).quietHours === undefined);
}

/** @param {import("./harness/tab.js").Tab} tab @param {import("./harness/tab.js").Tab} other */
async function paused(tab, other) {
  await control(tab, "For 1 hour").click();
  await control(other, "Resume").waitFor();
  assert(Date.parse((await settings()).muteUntil) > Date.now());
  await control(other, "Resume").click();
  await control(tab, "Until I resume").click();
  await saved(async () => (await settings()).muteUntil === "forever");
}

/** @param {import("./harness/tab.js").Tab} tab @param {import("./harness/tab.js").Tab} other */
async function topics(tab, other) {
  await control(tab, "Mute: queue:a").click();
  await control(other, "Unmute: queue:a").waitFor();
  await control(tab, "Leave: queue:b").click();
  await control(tab, "Leave: queue:b").click();
  await control(other, "Leave: queue:b").waitFor({ state: "detached" });
  const { topics: left } = await user.call("GET", "/api/topics");
  assert.deepEqual(left.map(({ topic, mutedUntil }) => [topic, mutedUntil]), [["queue:a", "forever"]]);
}

/** @param {import("./harness/tab.js").Tab} tab @param {string} name @param {boolean | "mixed"} is */
function checked(tab, name, is) {
  const isSo = ([name, is]) => {
    const box = globalThis.element.shadowRoot.querySelector(`input[aria-label="${name}"]`);
    return box && (box.indeterminate ? "mixed" : box.checked) === is;
  };
  return tab.until(`"${name}" is ${is}`, isSo, [name, is]);
}

/** @param {() => Promise<boolean>} isSo */
function saved(isSo) {
  return until("it is saved", isSo);
}
