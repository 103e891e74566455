// A page that changes its language keeps an open notification centre: its place, its focus and its view.

import assert from "node:assert/strict";

import { BellTab } from "./harness/bell.js";
import { Browser, publish, scenario } from "./harness/scenario.js";

await scenario(async () => {
  for (let number = 1; number <= 20; number++) await publish({ users: ["u1"], title: `item ${number}` });
  const centre = await BellTab.in(await (await Browser.of("u1")).open(), { lang: "en" });
  const { tab, page, panel } = centre;
  await tab.run(() => {
    globalThis.toggles = [];
    document.addEventListener("tidings-toggle", ({ detail }) => globalThis.toggles.push(detail.open));
  });
  const speak = (/** @type {string} */ lang) => tab.run((lang) => bell.setAttribute("lang", lang), lang);

  await speak("de");
  await centre.page.getByRole("button", { name: "Benachrichtigungen, 20 ungelesene" }).waitFor();
  assert.equal(await tab.run(() => bell.open), false, "what was closed stays so");
  await speak("en");
  await centre.open();
  await centre.hasFocus("item 20");
  for (let step = 0; step < 12; step++) await page.keyboard.press("ArrowDown");
  await centre.hasFocus("item 8");
  await speak("de");
  await panel.getByRole("heading", { name: "Benachrichtigungen" }).waitFor();
  await centre.hasFocus("item 8");
  const isInSight = () => tab.run(() => {
    const [list, row] = [bell.shadowRoot.querySelector(".scroller"), bell.shadowRoot.activeElement].map((element) => element.getBoundingClientRect());
    return row.top >= list.top && row.bottom <= list.bottom;
  });
  assert(await isInSight(), "the list is where it was");
  await page.keyboard.press("ArrowDown");
  await centre.hasFocus("item 7");

  await panel.getByRole("button", { name: "Einstellungen" }).click();
  await panel.getByRole("heading", { name: "Ruhezeiten" }).waitFor();
  await speak("en");
  await panel.getByRole("heading", { name: "Quiet hours" }).waitFor();
  await centre.hasFocus("Back to the notifications");
  assert.deepEqual(await tab.run(() => globalThis.toggles), [true], "the page is told once that it was opened");
  await page.keyboard.press("Escape");
  await tab.until("it is closed", () => globalThis.toggles.join() === "true,false");
});
