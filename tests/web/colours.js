// Where the browser's own colours take the place of all others, every state is still told.

import assert from "node:assert/strict";

import { BellTab, everySort } from "./harness/bell.js";
import { Desk } from "./harness/desk.js";
import { mount } from "./harness/elements.js";
import { Browser, publish, scenario } from "./harness/scenario.js";

/** A property of an element as it is painted. @param {import("playwright-core").Locator} element @param {string} property @param {string} [pseudo] */
const painted = (element, property, pseudo) =>
  element.first().evaluate((element, [property, pseudo]) => getComputedStyle(element, pseudo).getPropertyValue(property), [property, pseudo]);

/** @param {"light" | "dark"} colorScheme */
async function walk(colorScheme) {
  for (const body of everySort(colorScheme)) await publish(body);
  const context = { colorScheme, forcedColors: /** @type {const} */ ("active"), viewport: { width: 1000, height: 900 } };
  const browser = await Browser.of(colorScheme, { context });
  const centre = await BellTab.in(await browser.open({ shareConnection: false }));
  const { page, panel, tab } = centre;
  await centre.open();
  await centre.rows.first().waitFor();
  const ground = await painted(panel, "background-color");
  const line = (/** @type {import("playwright-core").Locator} */ element, side = "block-end") => painted(element, `border-${side}-color`);
  assert.notEqual(await line(panel.getByRole("tab", { selected: true })), ground, "the chosen tab is underlined");
  assert.equal(await line(panel.getByRole("tab", { selected: false })), ground, "the other one is not");
  for (const [title, isMarked] of /** @type {const} */ ([["To call long ago", true], ["An escalation", true], ["A missed call", true], ["An order", false], ["A plain one", false]])) {
    assert.equal((await line(centre.row(title), "inline-start")) !== ground, isMarked, `${title} has a bar: ${isMarked}`);
  }
  const dot = (/** @type {string} */ title) => painted(centre.row(title).locator(".content"), "background-color", "::after");
  assert.notEqual(await dot("A plain one"), ground, "what is unread has a dot");
  await panel.getByRole("combobox", { name: "Priority", exact: true }).selectOption("critical");
  await centre.shows(["An escalation"]);
  const select = (/** @type {string} */ name) => painted(panel.getByRole("combobox", { name, exact: true }), "border-top-width");
  assert.notEqual(await select("Priority"), await select("Category"), "a chosen filter differs from one that is not");
  await page.keyboard.press("Escape");

  await mount(tab, "settings");
  const settings = page.locator("tidings-settings");
  await settings.getByRole("checkbox", { name: "Be quiet at set hours" }).check();
  await settings.locator(".day").first().click();
  await tab.until("a day is not chosen", () => globalThis.element.shadowRoot.querySelector(".day input:not(:checked)"));
  const day = (/** @type {string} */ which) => painted(settings.locator(`.day:has(${which})`), "background-color");
  assert.notEqual(await day("input:checked"), await day("input:not(:checked)"));
  await settings.getByRole("checkbox", { name: "Be quiet at set hours" }).uncheck();

  await mount(tab, "toasts");
  for (const priority of ["low", "critical"]) await publish({ users: [colorScheme], title: `of ${priority} priority`, priority, kind: "report" });
  const bar = (/** @type {string} */ priority) => painted(page.locator(`tidings-toasts .card[data-priority=${priority}]`), "background-color", "::before");
  assert.notEqual(await bar("critical"), await bar("low"));
  await page.close();
}

await scenario(async () => {
  await walk("light");
  await walk("dark");

  const desk = await Desk.of("desk", { context: { forcedColors: "active" } });
  const example = (/** @type {boolean} */ pressed) => painted(desk.page.locator("#examples").getByRole("button", { pressed }), "border-top-width");
  assert.notEqual(await example(true), await example(false), "the chosen example differs from the others");
});
