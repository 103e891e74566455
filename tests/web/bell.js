// The notification centre shows each kind of item, and its actions work.

import assert from "node:assert/strict";

import { BellTab, everySort } from "./harness/bell.js";
import { Browser, publish, scenario, until } from "./harness/scenario.js";

await scenario(async () => {
  const browser = await Browser.of("u1");
  const tab = await BellTab.in(await browser.open({ pageSize: 100 }));
  assert.equal(await tab.badge.isVisible(), false, "no badge while nothing is unread");
  for (const body of everySort("u1")) await publish(body);
  await tab.tab.agrees();
  await tab.page.getByRole("button", { name: "Notifications, 8 unread", exact: true }).waitFor();
  assert.equal(await tab.badge.innerText(), "8");

  await tab.open();
  const titles = ["<b>A plain one</b>", "An escalation", "To call long ago", "To call soon", "A missed call", "A payment", "Reply 3", "An order"];
  await tab.shows(titles);
  assert.deepEqual(await tab.panel.locator(".day").allInnerTexts(), ["Today"]);
  await tab.row("To call long ago").getByText("2h overdue").waitFor();
  await tab.row("To call soon").getByText("Due in 30m").waitFor();
  await tab.row("Reply 3").getByText("3 messages").waitFor();
  const sorts = { "To call long ago": "overdue", "To call soon": "due", "A missed call": "missed", "An escalation": "critical" };
  for (const [title, sort] of Object.entries(sorts)) assert.match((await tab.row(title).getAttribute("class")) ?? "", new RegExp(`\\b${sort}\\b`));
  await images(tab);
  const link = tab.row("To call soon").getByRole("link", { name: "Call now" });
  assert.equal(await link.getAttribute("href"), new URL("/calls/1", tab.page.url()).href);
  await tab.tab.until("what is in view was seen", () => client.state.items[0].seenAt);
  assert.equal(await tab.tab.run(() => client.state.items.at(-1)?.seenAt ?? null), null, "what is further down was not");

  // Another browser shows the change.
  const other = await (await Browser.of("u1")).open({ pageSize: 100 });
  await tab.press("To call long ago", "Acknowledge");
  await tab.row("To call long ago").locator(".chip", { hasText: "Acknowledged" }).waitFor();
  await tab.says("polite", "Acknowledged");
  await tab.press("To call soon", "Done");
  await tab.row("A payment").hover();
  await tab.press("A payment", "Mark as read");
  await tab.row("An order").hover();
  await tab.press("An order", "Archive");
  await tab.row("Reply 3").hover();
  await tab.press("Reply 3", "Snooze");
  await tab.page.getByRole("button", { name: /^Tomorrow morning/ }).click();
  await tab.shows(titles.slice(0, 6));
  const dues = () => ["acknowledged", "done"].every((state) => client.state.items.some(({ dueState }) => dueState === state));
  await other.until("another browser knows what is taken care of", dues);
  await other.until("and what is read, archived and put off", () => client.state.items.length === 6 && client.state.unread === 3);
  await tab.tab.agrees();

  await tab.page.getByRole("tab", { name: "Unread" }).click();
  const unread = ["<b>A plain one</b>", "An escalation", "A missed call"];
  await tab.shows(unread);
  await tab.page.getByRole("combobox", { name: "Priority", exact: true }).selectOption("critical");
  await tab.shows(["An escalation"]);
  await tab.page.getByRole("button", { name: "Mark these as read" }).click();
  await tab.panel.getByText("Nothing matches").waitFor();
  await tab.page.getByRole("button", { name: "Clear filters" }).click();
  await tab.shows(unread.filter((title) => title !== "An escalation"));
  await tab.page.getByRole("combobox", { name: "Category", exact: true }).selectOption({ label: "Missed calls" });
  await tab.shows(["A missed call"]);
  await tab.page.getByRole("combobox", { name: "Category", exact: true }).selectOption("");
  await tab.page.getByRole("button", { name: "Mark all as read" }).click();
  await tab.panel.getByText("You are up to date").waitFor();
  await tab.badge.waitFor({ state: "hidden" });

  // An item that becomes unread elsewhere comes into a list that has lost it.
  const turn = (/** @type {"read" | "unread"} */ to) => other.run((to) => client[to](client.state.items.find(({ title }) => title === "A missed call").id), to);
  await turn("unread");
  await tab.shows(["A missed call"]);
  await turn("read");
  await tab.panel.getByText("You are up to date").waitFor();

  // A page that navigates by itself gets the address, and nothing else happens.
  await tab.page.getByRole("tab", { name: "All" }).click();
  await tab.tab.run(() => bell.addEventListener("tidings-open-item", (event) => {
    event.preventDefault();
    opened.push([event.detail.item.title, event.detail.url]);
  }));
  await tab.row("A payment").getByRole("link", { name: "A payment" }).click();
  await tab.panel.waitFor({ state: "hidden" });
  assert.deepEqual(await tab.tab.run(() => opened), [["A payment", new URL("/payments/7", tab.page.url()).href]]);
  assert.match(tab.page.url(), /docs$/);
});

/** An image that loads has its box; without one, or when it cannot be loaded, there is none. @param {BellTab} tab */
async function images(tab) {
  const shown = tab.row("A payment").locator("img");
  await shown.waitFor();
  assert.deepEqual(await shown.evaluate(({ alt, loading, referrerPolicy }) => [alt, loading, referrerPolicy]), ["", "lazy", "no-referrer"]);
  await until("the image is there", () => shown.evaluate(({ naturalWidth }) => naturalWidth > 0));
  await tab.row("A missed call").locator("img[src]").waitFor({ state: "hidden" });
  assert.equal(await tab.row("An order").locator("img").isVisible(), false);
}
