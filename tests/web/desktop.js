// Browser notifications: asked for by a click, one over all tabs while none is seen, gone when the item is read.

import assert from "node:assert/strict";

import { control, isAccessible, mount, onDesktop, see, shows, watchDesktop } from "./harness/elements.js";
import { Browser, User, publish, scenario, until } from "./harness/scenario.js";

const important = { users: ["u1"], kind: "payment_received" };

await scenario(async () => {
  await asked();
  const browser = await Browser.of("u1");
  const tabs = [await browser.open(), await browser.open(), await browser.open()];
  for (const tab of tabs) {
    await watchDesktop(tab, "granted");
    await mount(tab, "toasts", {});
  }
  await see(tabs[0], false);
  await see(tabs[1], false);
  await publish({ ...important, title: "in sight" });
  for (const tab of tabs) await tab.hears("in sight");
  await see(tabs[2], false);

  const titles = ["one", "two", "three", "four"];
  for (const title of titles) await publish({ ...important, title });
  await publish({ users: ["u1"], title: "not important", kind: "campaign_milestone" });
  await publish({ users: ["u1"], title: "not for the desktop", priority: "high" });
  await publish({ ...important, title: "last", imageUrl: "/assets/icon.svg" });
  for (const tab of tabs) await tab.hears("last");
  await until("the last one is shown", async () => (await onDesktop(tabs)).some(({ title }) => title === "last"));
  assert.deepEqual((await onDesktop(tabs)).map(({ title }) => title).sort(), [...titles, "last"].sort());

  const images = (await onDesktop(tabs)).filter(({ icon }) => icon).map(({ title, icon }) => [title, new URL(icon).pathname]);
  assert.deepEqual(images, [["last", "/assets/icon.svg"]]);

  await readElsewhere(tabs);
  await clicked(tabs);
});

/** Only a click asks the browser, and a user who refuses is not asked again. */
async function asked() {
  const browser = await Browser.of("u1");
  const tab = await browser.open();
  await watchDesktop(tab, "default");
  await mount(tab, "toasts", {});
  await publish({ ...important, title: "first" });
  await control(tab, "Not now").waitFor();
  await isAccessible(tab);
  await control(tab, "Not now").click();
  await control(tab, "Not now").waitFor({ state: "detached" });

  const next = await browser.open();
  await watchDesktop(next, "default");
  await mount(next, "toasts", {});
  await publish({ ...important, title: "second" });
  await shows(next, ["second"]);
  assert.equal(await control(next, "Allow").count(), 0);
  assert.equal(await next.run(() => globalThis.asked), 0);

  await next.run(() => localStorage.clear());
  await publish({ ...important, title: "third" });
  await control(next, "Allow").click();
  await control(next, "Allow").waitFor({ state: "detached" });
  assert.equal(await next.run(() => globalThis.asked), 1);
}

/** @param {import("./harness/tab.js").Tab[]} tabs */
async function readElsewhere(tabs) {
  const { tag: id } = (await onDesktop(tabs)).find(({ title }) => title === "two");
  await new User("u1").call("POST", `/api/notifications/${id}/read`);
  await until("it is closed", async () => (await onDesktop(tabs)).find(({ tag }) => tag === id)?.isOpen === false);
  assert.deepEqual((await onDesktop(tabs)).filter(({ isOpen }) => !isOpen).map(({ title }) => title), ["two"]);
}

/** @param {import("./harness/tab.js").Tab[]} tabs */
async function clicked(tabs) {
  for (const tab of tabs) {
    await tab.run(() => {
      document.addEventListener("tidings-open-item", (event) => {
        event.preventDefault();
        globalThis.opened = event.detail.item.title;
      });
      globalThis.shown.find(({ title }) => title === "three")?.onclick();
    });
  }
  const opened = await Promise.all(tabs.map((tab) => tab.run(() => globalThis.opened ?? null)));
  assert.deepEqual(opened.filter(Boolean), ["three"]);
  await tabs[0].until("it is read", () => client.state.items.find(({ title }) => title === "three").readAt);
}
