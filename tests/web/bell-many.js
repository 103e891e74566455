// A long inbox is loaded as it is scrolled, to its end, and a page that could not be loaded is requested again.

import assert from "node:assert/strict";

import { BellTab } from "./harness/bell.js";
import { Browser, User, scenario } from "./harness/scenario.js";

const COUNT = 1000;

await scenario(async () => {
  const batch = Array.from({ length: COUNT }, (_, number) => ({ users: ["u1"], title: `n${number}`, message: "word ".repeat(number % 40) }));
  await new User("u1").call("POST", "/api/notifications/batch", batch);
  const tab = await BellTab.in(await (await Browser.of("u1", { context: { bypassCSP: true } })).open({ pageSize: 100 }));
  const { page } = tab;
  const scroll = () => tab.tab.run(() => {
    const list = bell.shadowRoot.querySelector("#list");
    list.scrollTop = list.scrollHeight;
  });
  // A user of a voice control says the visible text.
  await page.getByRole("button", { name: "Notifications, 99+ unread" }).waitFor();
  await tab.isAccessible("crowded");
  assert.equal(await tab.badge.innerText(), "99+");
  await tab.open();
  await tab.rows.first().waitFor();
  assert.equal(await tab.rows.count(), 100, "what is far below is not asked for");

  const older = "**/api/notifications?*page=*";
  await page.route(older, (route) => route.abort());
  await scroll();
  await page.getByText("Older notifications could not be loaded").waitFor();
  await page.unroute(older);
  await page.getByRole("button", { name: "Try again" }).click();
  for (let count = 100; count < COUNT; count = await tab.rows.count()) {
    // Rows out of view have an estimated height, so the end may move away as it comes into view: the user scrolls on.
    await tab.tab.until(`more than ${count} are loaded`, (count) => {
      const list = bell.shadowRoot.querySelector("#list");
      list.scrollTop = list.scrollHeight;
      return bell.shadowRoot.querySelectorAll(".row").length > count;
    }, count);
  }
  await page.getByText("That is all").waitFor();
  assert.equal(await tab.rows.count(), COUNT);

  // Arrivals at the top do not move the rows of a reader further down.
  await tab.tab.run(() => bell.shadowRoot.querySelectorAll(".row .open")[500].focus());
  const place = () => tab.tab.run(() => bell.shadowRoot.activeElement.getBoundingClientRect().top);
  const before = await place();
  await new User("u1").call("POST", "/api/notifications/batch", [{ users: ["u1"], title: "newest" }]);
  await tab.row("newest").waitFor({ state: "attached" });
  await tab.hasFocus("n499");
  assert.equal(await place(), before);

  // However long a title is, it takes little room until it is opened.
  const title = "word ".repeat(60).trim();
  await new User("u1").call("POST", "/api/notifications/batch", [{ users: ["u1"], title }]);
  const link = tab.row(title).locator(".open");
  await link.scrollIntoViewIfNeeded();
  const lines = () => link.locator(".title").evaluate((shown) => Math.round(shown.clientHeight / parseFloat(getComputedStyle(shown).lineHeight)));
  assert.equal(await lines(), 3);
  assert.equal(await link.locator(".title").getAttribute("title"), title);
  await link.click();
  assert((await lines()) > 3);
});
