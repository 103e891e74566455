// The notification centre shows each of its states, continues from it, and obstructs nothing, in both themes.

import assert from "node:assert/strict";

import { BellTab, everySort } from "./harness/bell.js";
import { Browser, publish, scenario } from "./harness/scenario.js";

/** @param {"light" | "dark"} colorScheme */
async function walk(colorScheme) {
  const context = { bypassCSP: true, colorScheme };
  const browser = await Browser.of("u1", { context });
  const list = "**/api/notifications?*";
  const begun = await browser.begin({ shareConnection: false });
  await begun.live();
  const tab = await BellTab.in(begun);
  const { page } = tab;
  await holdNotices(tab);
  await tab.isAccessible("closed");
  await tab.open();
  await tab.rows.first().waitFor();
  await tab.isAccessible("open");
  await page.getByText("Keyboard").click();
  await tab.isAccessible("helping");
  await tab.row("A plain one").hover();
  await tab.press("A plain one", "Snooze");
  await tab.isAccessible("asking until when");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Settings" }).click();
  await tab.hasFocus("Back to the notifications");
  await page.getByRole("heading", { name: "Quiet hours" }).waitFor();
  await tab.isAccessible("showing the settings");
  await page.keyboard.press("Enter");
  await tab.hasFocus("Settings");

  await page.getByRole("combobox", { name: "Priority", exact: true }).selectOption("low");
  await page.getByText("Nothing matches").waitFor();
  await tab.isAccessible("empty");
  await page.route(list, (route) => route.abort());
  await page.getByRole("combobox", { name: "Priority", exact: true }).selectOption("critical");
  await page.getByText("The notifications could not be loaded").waitFor();
  await tab.isAccessible("unable to load");
  await page.unroute(list);
  await page.getByRole("button", { name: "Try again" }).click();
  await tab.shows(["An escalation"]);
  await page.getByRole("button", { name: "Clear filters" }).click();
  await page.getByText("That is all").waitFor();

  await browser.context.setOffline(true);
  await tab.tab.is("offline");
  await page.getByText(/Trying again/).waitFor();
  await tab.says("polite", "Offline");
  await tab.row("A plain one").hover();
  await tab.press("A plain one", "Archive");
  await page.getByText("That did not work and was taken back: the server cannot be reached.").waitFor();
  await tab.row("A plain one").waitFor();
  await tab.isAccessible("offline");
  await page.getByRole("button", { name: "Dismiss" }).click();
  await browser.context.setOffline(false);
  await tab.tab.live();
  await tab.says("polite", "Live");
  await forgiven(tab);

  await refusedUntilAsked(browser, tab);

  await tab.tab.run(() => (bell.client = null));
  await page.getByRole("img", { name: "Loading notifications" }).waitFor();
  await tab.isAccessible("loading");
  await tab.tab.run(() => (bell.client = client));
  await tab.rows.first().waitFor();

  await page.setViewportSize({ width: 390, height: 844 });
  const { width, height } = (await tab.panel.boundingBox()) ?? {};
  assert.deepEqual([width, height], [390, 844], "on a small screen it takes all of it");
  await tab.isAccessible("narrow");
  await page.getByRole("button", { name: "Close" }).click();
  await tab.panel.waitFor({ state: "hidden" });
}

/** A session ends, and the button of the notification centre goes on. @param {Browser} browser @param {BellTab} tab */
async function refusedUntilAsked(browser, tab) {
  const { handOut } = browser;
  const button = tab.page.getByRole("button", { name: "Connect again" });
  browser.handOut = async () => "nonsense";
  await tab.tab.run(() => client.drop());
  await tab.panel.getByText("Your session has ended").waitFor();
  await tab.isAccessible("expired");
  // The client tries by itself as well. With a good token before the click it would be live, and the button gone.
  await tab.tab.run(() => {
    const note = (/** @type {Event} */ { target }) => target.textContent === "Connect again" && (globalThis.isAsked = true);
    bell.shadowRoot.addEventListener("click", note, { capture: true, once: true });
  });
  browser.handOut = async () => ((await tab.tab.run(() => globalThis.isAsked)) ? handOut() : "nonsense");
  await button.click();
  await tab.tab.live();
  browser.handOut = handOut;
}

/** A notice goes only by what the user does: on a slow machine its time may be over before the script looks. @param {BellTab} tab */
function holdNotices(tab) {
  return tab.tab.run(() => {
    const { setTimeout } = globalThis;
    const NOTICE_MS = 10000;
    globalThis.setTimeout = (work, ms, ...rest) => (ms === NOTICE_MS ? 0 : setTimeout(work, ms, ...rest));
  });
}

/** A failure is not shown any more once the action works. @param {BellTab} tab */
async function forgiven(tab) {
  const { page } = tab;
  const notice = page.getByText(/^That did not work/);
  const reads = "**/api/notifications/*/{read,unread}";
  const turn = async (/** @type {string} */ to) => {
    await tab.row("A plain one").hover();
    await tab.press("A plain one", to);
  };
  await page.route(reads, (route) => route.abort());
  await turn("Mark as read");
  await notice.waitFor();
  await page.unroute(reads);
  await turn("Mark as read");
  await notice.waitFor({ state: "hidden" });
  await turn("Mark as unread");
}

await scenario(async () => {
  for (const body of everySort("u1")) await publish(body);
  await walk("light");
  await walk("dark");

  const words = await BellTab.in(await (await Browser.of("u1")).open());
  // The page says its language late, and then another one.
  for (const lang of ["ar", "de"]) await words.tab.run((lang) => void (document.documentElement.lang = lang), lang);
  await words.page.getByRole("button", { name: "Benachrichtigungen, 8 ungelesene" }).click();
  await words.row("To call long ago").getByText("2h überfällig").waitFor();
  await words.row("Reply 3").getByText("3 Nachrichten").waitFor();
  await words.page.getByRole("button", { name: "Einstellungen" }).click();
  await words.page.getByRole("heading", { name: "Ruhezeiten" }).waitFor();
});
