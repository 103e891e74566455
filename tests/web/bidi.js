// Text of others that runs from right to left, or says so, turns nothing around it.

import assert from "node:assert/strict";

import { BellTab } from "./harness/bell.js";
import { Desk } from "./harness/desk.js";
import { mount } from "./harness/elements.js";
import { Browser, publish, scenario } from "./harness/scenario.js";

const RLO = "\u202e";
const PDI = "\u2069";

/**
 * Where the characters of a text of the page are, as one sees them: the text before and the text after stand in their order, each from
 * left to right. @param {import("playwright-core").Locator} element @param {string} text
 */
function runsLeftToRight(element, text) {
  return element.evaluate((element, text) => {
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const at = node.data.indexOf(text);
      if (at < 0) continue;
      const places = [...text].map((_, index) => {
        const range = document.createRange();
        range.setStart(node, at + index);
        range.setEnd(node, at + index + 1);
        return range.getBoundingClientRect();
      });
      // A text may be broken into lines anywhere.
      return places.every(({ left, top }, index) => index === 0 || top > places[index - 1].top || left > places[index - 1].left);
    }
    throw new Error(`"${text}" is not in "${element.textContent}"`);
  }, text);
}

await scenario(async () => {
  const browser = await Browser.of("u1");
  const dueAt = new Date(Date.now() + 3600000).toISOString();
  for (const escape of ["", PDI]) {
    const user = `${escape}${RLO}resu`;
    await publish({ users: ["u1"], title: `${escape}${RLO}gnp.exe`, message: `${escape}${RLO}egassem`, dueAt, data: { contact: { name: `${RLO}eman`, number: "+49 30 5550142" } } });
    const tab = await browser.open();
    const centre = await BellTab.in(tab, { lang: "en" });
    await centre.open();
    const row = centre.rows.first();
    await row.getByText(/^Due in/).waitFor();
    for (const text of ["Due in", "Acknowledge", "Done"]) assert(await runsLeftToRight(row, text), text);
    const said = await tab.run(async (user) => {
      const { fill } = await import(/** @type {any} */ ("/assets/elements/texts.js"));
      const paragraph = Object.assign(document.createElement("p"), { id: "said", textContent: fill("Leave {topic} for good?", { topic: user }) });
      document.body.append(paragraph);
      return paragraph.textContent;
    }, user);
    for (const text of ["Leave ", "for good?"]) assert(await runsLeftToRight(tab.page.locator("#said"), text), `${text} in ${JSON.stringify(said)}`);
    await tab.close();
  }

  // Several that were missed are one toast, with a line for each.
  const tab = await browser.open();
  await mount(tab, "toasts");
  await browser.context.setOffline(true);
  await tab.is("offline");
  for (const title of [`${RLO}eno`, `${RLO}owt`]) await publish({ users: ["u1"], title });
  await browser.context.setOffline(false);
  await tab.live();
  const toast = tab.page.locator("tidings-toasts .card");
  await toast.getByText("2 notifications while you were away").waitFor();
  assert(await runsLeftToRight(toast, "2 notifications"));
  await tab.close();

  const desk = await Desk.of("u2");
  const contact = { name: `${RLO}eman`, number: "+49 30 5550142" };
  await desk.write({ users: ["u2"], kind: "callback_due", title: `${RLO}eltit`, dueAt, data: { contact, campaign: "Spring" } });
  const callback = desk.page.locator("#callbacks li").first();
  await callback.getByText("+49 30 5550142").waitFor();
  for (const text of ["+49 30 5550142", "Spring"]) assert(await runsLeftToRight(callback, text), text);
  const line = desk.page.locator("#log [data-event=notification]").first();
  assert(await runsLeftToRight(line, "1 unread now."));
  // Lines move down as others come, so no click is sure to hit one.
  await line.locator("summary").press("Enter");
  const raw = line.locator("pre");
  assert((await raw.innerText()).includes("\\u202eeltit"));
  assert(await runsLeftToRight(raw, '"priority"'));
});
