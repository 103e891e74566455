// Toasts: the most important on top. They go when their time is over, unless the user is at them, and everywhere when one is finished.

import assert from "node:assert/strict";

import { control, isAccessible, mount, shows } from "./harness/elements.js";
import { Browser, User, publish, scenario, until } from "./harness/scenario.js";

const durations = { low: 1000, medium: 1000, high: 1000, critical: Infinity };

await scenario(async () => {
  const browser = await Browser.of("u1");
  const [tab, other] = [await browser.open(), await browser.open()];
  await tab.page.clock.install();
  await mount(tab, "toasts", { durations });
  await mount(other, "toasts", { durations: { low: Infinity, medium: Infinity, high: Infinity, critical: Infinity } });
  await tab.run(() => globalThis.element.setAttribute("max", "2"));

  await pointed(tab, other);
  await withKeys(tab);
  await elsewhere(tab, other);
  await due(tab, other);
  await opened(tab);
});

/** Under the pointer the time does not run; a critical toast stays without it. @param {import("./harness/tab.js").Tab} tab @param {import("./harness/tab.js").Tab} other */
async function pointed(tab, other) {
  const critical = await publish({ users: ["u1"], title: "critical", priority: "critical", actionUrl: "/calls/3" });
  await shows(tab, ["critical"]);
  await tab.page.locator("tidings-toasts").getByText("critical", { exact: true }).hover();
  for (const title of ["low", "high"]) await publish({ users: ["u1"], title, priority: title });
  await shows(tab, ["critical", "high"]);
  await shows(other, ["critical", "high", "low"]);
  await isAccessible(tab);
  await tab.page.clock.runFor(3000);
  await shows(tab, ["critical", "high"]);
  await control(tab, "1 more").click();
  await shows(tab, ["critical", "high", "low"]);
  await tab.page.mouse.move(1, 1);
  await tab.page.clock.runFor(3000);
  await shows(tab, ["critical"]);
  // A toast that lapsed in the visible tab stays in the other visible one.
  await shows(other, ["critical", "high", "low"]);
  await new User("u1").call("POST", `/api/notifications/${critical}/read`);
  await shows(tab, []);
  await shows(other, ["high", "low"]);
  await control(other, "Close all").click();
  await shows(other, []);
}

/** A key leads to the toasts, and back to where it was pressed. @param {import("./harness/tab.js").Tab} tab */
async function withKeys(tab) {
  await tab.run(() => {
    document.body.tabIndex = -1;
    document.body.focus();
  });
  for (const title of ["first", "second"]) await publish({ users: ["u1"], title, priority: "critical" });
  await shows(tab, ["second", "first"]);
  await tab.page.keyboard.press("F6");
  await tab.page.keyboard.press("Escape");
  await shows(tab, ["first"]);
  const within = () => globalThis.element.shadowRoot.activeElement?.getAttribute("aria-label") ?? null;
  assert.notEqual(await tab.run(within), null, "the next toast has the focus");
  await tab.page.keyboard.press("Escape");
  await shows(tab, []);
  assert(await tab.run(() => document.activeElement === document.body), "the focus is back");
}

/** @param {import("./harness/tab.js").Tab} tab @param {import("./harness/tab.js").Tab} other */
async function elsewhere(tab, other) {
  const archived = await publish({ users: ["u1"], title: "archived", priority: "critical" });
  await publish({ users: ["u1"], title: "closed", priority: "critical" });
  await publish({ users: ["u1"], title: "no toast", kind: "call_completed" });
  await shows(tab, ["closed", "archived"]);
  await shows(other, ["closed", "archived"]);
  await control(tab, "Close: closed").click();
  await shows(other, ["archived"]);
  await new User("u1").call("POST", `/api/notifications/${archived}/archive`);
  for (const each of [tab, other]) await shows(each, []);
}

/** A due item is gone everywhere once one user acknowledges it. @param {import("./harness/tab.js").Tab} tab @param {import("./harness/tab.js").Tab} other */
async function due(tab, other) {
  await publish({ users: ["u1"], title: "callback", priority: "critical", dueAt: new Date(Date.now() + 600000).toISOString() });
  await shows(other, ["callback"]);
  await control(tab, "Acknowledge").click();
  for (const each of [tab, other]) await shows(each, []);
  await until("it is acknowledged", async () => (await new User("u1").list()).items[0].dueState === "acknowledged");
}

/** The page decides which address an item opens. @param {import("./harness/tab.js").Tab} tab */
async function opened(tab) {
  await tab.run(() => document.addEventListener("tidings-open-item", (event) => {
    event.preventDefault();
    globalThis.opened = event.detail;
  }));
  await publish({ users: ["u1"], title: "ticket", kind: "ticket:assigned", priority: "critical", actionUrl: "/tickets/7", imageUrl: "/assets/icon.svg" });
  await publish({ users: ["u1"], title: "broken", priority: "critical", imageUrl: "/assets/no-such-image.svg" });
  await shows(tab, ["broken", "ticket"]);
  const image = (/** @type {string} */ title) => tab.page.locator("tidings-toasts .card", { hasText: title }).locator("img");
  await image("ticket").waitFor();
  await image("broken").waitFor({ state: "hidden" });
  await until("the image is there", () => image("ticket").evaluate(({ alt, naturalWidth }) => alt === "" && naturalWidth > 0));
  await isAccessible(tab);
  await control(tab, "Close: broken").click();
  await control(tab, "Open ticket", "link").click();
  await shows(tab, []);
  const { item, url } = await tab.run(() => globalThis.opened);
  assert.deepEqual([item.title, new URL(url).pathname], ["ticket", "/tickets/7"]);
  const ticket = async () => (await new User("u1").list()).items.find(({ title }) => title === "ticket");
  await until("it is read", async () => (await ticket())?.readAt);
}
