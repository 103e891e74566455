// Times go on by themselves, in the time zone and the language of the notification centre.

import assert from "node:assert/strict";

import { BellTab } from "./harness/bell.js";
import { Browser, publish, scenario, stage } from "./harness/scenario.js";

const MINUTE_MS = 60000;
const DAY_MINUTES = 24 * 60;

/** Moves the time of the server on; a tab hears of it when it connects. @param {BellTab} tab @param {number} minutes */
async function advance({ tab }, minutes) {
  await stage.advance(minutes * 60);
  const wanted = await tab.run((minutes) => client.now() + minutes * 60000, minutes);
  await tab.run(() => client.drop());
  await tab.until("the tab counts by the new time", (wanted) => client.now() >= wanted && client.state.connection === "live", wanted);
}

/** Moves the time of the server to a noon, so that only whole days cross a midnight. Answers that noon. */
async function noon() {
  const noon = new Date().setHours(36, 0, 0, 0);
  await stage.advance((noon - Date.now()) / 1000);
  return noon;
}

await scenario(async () => {
  const dueAt = new Date((await noon()) + 30 * MINUTE_MS).toISOString();
  await publish({ users: ["u1"], title: "To call", kind: "callback_due", dueAt });
  const tab = await BellTab.in(await (await Browser.of("u1")).open());
  await tab.open();
  const row = tab.row("To call");
  await row.getByText("Due in 30m").waitFor();
  await row.getByText("now", { exact: true }).waitFor();
  await advance(tab, 25);
  await row.getByText("Due in 5m").waitFor();
  await row.getByText("25 min. ago").waitFor();
  await advance(tab, 10);
  await row.getByText("5m overdue").waitFor();
  assert.match((await row.getAttribute("class")) ?? "", /\boverdue\b/);
  await advance(tab, DAY_MINUTES);
  await row.getByText("24h overdue").waitFor();
  await tab.panel.getByText("Yesterday").waitFor();
  await advance(tab, DAY_MINUTES);
  await row.getByText("2d overdue").waitFor();

  const createdAt = Date.parse(await tab.tab.run(() => client.state.items[0].createdAt));
  for (const [lang, timeZone] of [["en", "Pacific/Kiritimati"], ["de", "Pacific/Honolulu"]]) {
    await tab.tab.run(([lang, timeZone]) => {
      bell.setAttribute("time-zone", timeZone);
      bell.setAttribute("lang", lang);
    }, [lang, timeZone]);
    const day = new Intl.DateTimeFormat(lang, { weekday: "long", day: "numeric", month: "long", timeZone }).format(createdAt);
    // It stays open.
    await tab.panel.locator(".day").filter({ hasText: day }).waitFor();
  }
});
