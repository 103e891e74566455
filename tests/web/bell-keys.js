// The notification centre is used by keys alone: the focus goes in, is never lost, and comes back.

import assert from "node:assert/strict";

import { BellTab } from "./harness/bell.js";
import { Browser, publish, scenario } from "./harness/scenario.js";

await scenario(async () => {
  for (const title of ["five", "four", "three", "two", "one"]) await publish({ users: ["u1"], title });
  const tab = await BellTab.in(await (await Browser.of("u1")).open());
  const { keyboard } = tab.page;
  const press = async (...keys) => {
    for (const key of keys) await keyboard.press(key);
  };

  await tab.button.focus();
  await press("Enter");
  await tab.hasFocus("one");
  await press("ArrowDown");
  await tab.hasFocus("two");
  await press("End");
  await tab.hasFocus("five");
  await press("ArrowDown");
  await tab.hasFocus("five");
  await press("Home");
  await tab.hasFocus("one");

  await press("r");
  await tab.tab.until("it is read", () => client.state.items[0].readAt);
  await tab.hasFocus("one");
  await press("r");
  await tab.tab.until("it is unread", () => !client.state.items[0].readAt);
  await publish({ users: ["u1"], title: "zero" });
  await tab.shows(["zero", "one", "two", "three", "four", "five"]);
  await tab.hasFocus("one");

  await press("e");
  await tab.shows(["zero", "two", "three", "four", "five"]);
  await tab.hasFocus("two");
  await press("End", "e");
  await tab.shows(["zero", "two", "three", "four"]);
  await tab.hasFocus("four");

  await press("s");
  await tab.page.getByRole("dialog", { name: "Snooze" }).waitFor();
  await press("Escape");
  await tab.hasFocus("four");
  await press("s", "ArrowDown", "ArrowUp", "Enter");
  await tab.shows(["zero", "two", "three"]);
  await tab.hasFocus("three");

  await press("Enter");
  await tab.tab.until("what leads nowhere is read", () => client.state.items[2].readAt);
  assert.equal(await tab.row("three").locator(".open").getAttribute("aria-expanded"), "true");
  await press("Escape");
  await tab.panel.waitFor({ state: "hidden" });
  await tab.hasFocus("Notifications, 2 unread");

  // In the tab of unread items a read one leaves. After the last of them the focus stays in the dropdown.
  await press("Enter");
  await tab.hasFocus("zero");
  await tab.page.getByRole("tab", { name: "All" }).focus();
  await press("ArrowRight");
  await tab.shows(["zero", "two"]);
  await press("Tab", "Tab", "Tab");
  await tab.hasFocus("zero");
  await press("r");
  await tab.hasFocus("two");
  await press("r");
  await tab.shows([]);
  await tab.hasFocus("list");

  // Nothing holds the focus: past the end it is outside, and the dropdown closes behind it.
  await press("Tab", "Tab");
  await tab.hasFocus("after");
  await tab.panel.waitFor({ state: "hidden" });
});
