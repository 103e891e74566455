// Times go on by themselves, in the time zone and the language of the notification centre.

import assert from "node:assert/strict";

import { BellTab } from "./harness/bell.js";
import { Browser, publish, scenario } from "./harness/scenario.js";

const MINUTE_MS = 60000;

await scenario(async () => {
  const dueAt = new Date(Date.now() + 30 * MINUTE_MS).toISOString();
  await publish({ users: ["u1"], title: "To call", kind: "callback_due", dueAt });
  const browser = await Browser.of("u1");
  const { clock } = browser.context;
  await clock.install({ time: Date.now() });
  const tab = await BellTab.in(await browser.open());
  await tab.open();
  const row = tab.row("To call");
  await row.getByText("Due in 30m").waitFor();
  await row.getByText("now", { exact: true }).waitFor();
  await clock.fastForward(25 * MINUTE_MS);
  await row.getByText("Due in 5m").waitFor();
  await row.getByText("25 min. ago").waitFor();
  await clock.fastForward(10 * MINUTE_MS);
  await row.getByText("5m overdue").waitFor();
  assert.match((await row.getAttribute("class")) ?? "", /\boverdue\b/);
  await clock.fastForward(24 * 60 * MINUTE_MS);
  await row.getByText("24h overdue").waitFor();
  await tab.panel.getByText("Yesterday").waitFor();
  await clock.fastForward(24 * 60 * MINUTE_MS);
  await row.getByText("2d overdue").waitFor();

  const createdAt = Date.parse(await tab.tab.run(() => client.state.items[0].createdAt));
  for (const [lang, timeZone] of [["en", "Pacific/Kiritimati"], ["de", "Pacific/Honolulu"]]) {
    await tab.tab.run(([lang, timeZone]) => {
      bell.setAttribute("time-zone", timeZone);
      bell.setAttribute("lang", lang);
    }, [lang, timeZone]);
    await tab.open();
    const day = new Intl.DateTimeFormat(lang, { weekday: "long", day: "numeric", month: "long", timeZone }).format(createdAt);
    assert.equal(await tab.panel.locator(".day").innerText(), day);
    await tab.page.keyboard.press("Escape");
  }
});
