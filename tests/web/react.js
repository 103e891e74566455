// The hooks for React, in React: they render the state of the client after each change.

import assert from "node:assert/strict";
import { build } from "esbuild";

import { Browser, User, publish, scenario } from "./harness/scenario.js";

const bundle = { bundle: true, write: false, format: "iife", define: { "process.env.NODE_ENV": '"development"' } };
const built = await build({ ...bundle, entryPoints: ["react/app.js"], nodePaths: ["node_modules"] });
const app = built.outputFiles[0].text;

await scenario(async () => {
  const user = new User("u1");
  await user.call("PUT", "/api/topic-kinds/room", { access: "open" });
  await user.call("PUT", "/api/topics/room:1");
  await user.call("PUT", "/api/topics/closed:1");
  const [one, other] = [await open(), await open()];
  await publish({ users: ["u1"], title: "first" });
  await publish({ users: ["u1"], title: "second" });
  await one.page.getByText("second", { exact: true }).click();
  for (const { page } of [one, other]) {
    await shows(page, "#unread", "1");
    assert.deepEqual(await page.locator("li").allTextContents(), ["second", "first"]);
    await shows(page, "#given", "1 live false");
  }
  await shows(one.page, "#caught", "There is no client: give one to the hook, or put a <TidingsProvider> around it");

  await connections(one);
  await subscription(one, other, user);
});

async function open() {
  const browser = await Browser.of("u1");
  const page = await browser.context.newPage();
  await page.addInitScript({ content: app });
  await page.goto(`${browser.url}/docs`);
  await shows(page, "#connection", "live");
  return { browser, page };
}

/** @param {{browser: Browser, page: import("playwright-core").Page}} tab */
async function connections({ browser, page }) {
  const renders = await page.evaluate(() => globalThis.renders);
  await publish({ users: ["u1"], title: "third" });
  await page.getByText("third", { exact: true }).waitFor();
  assert.equal(await page.evaluate(() => globalThis.renders), renders, "a notification is nothing to those who watch the connection");
  await browser.context.setOffline(true);
  await shows(page, "#connection", "offline");
  await browser.context.setOffline(false);
  await shows(page, "#connection", "live");
}

/**
 * @param {{page: import("playwright-core").Page}} one
 * @param {{page: import("playwright-core").Page}} other
 * @param {User} user
 */
async function subscription(one, other, user) {
  const both = async (/** @type {any} */ wanted) => {
    for (const { page } of [one, other]) await shows(page, "output", JSON.stringify({ ...state, ...wanted }));
  };
  const state = { loading: false, subscribed: false, mutedUntil: null, last: "", status: null };
  const press = (/** @type {string} */ name) => one.page.click(`#${name}`);
  await user.call("PUT", "/api/topic-kinds/room", { access: "open", presence: false });
  await both({});
  await press("join");
  await both({ subscribed: true });
  for (const waiting of [2, 3]) {
    await user.call("POST", "/api/signals", { topic: "room:1", kind: "metrics", key: "waiting", data: { waiting } });
  }
  await both({ subscribed: true, last: 'metrics/waiting={"waiting":3}' });
  await press("mute");
  await both({ subscribed: true, mutedUntil: "forever", last: 'metrics/waiting={"waiting":3}' });
  await press("unmute");
  await press("leave");
  await both({});

  // A topic that the user may not join says so, and the attempt is undone.
  await one.page.evaluate(() => globalThis.setRoom("closed:1"));
  await shows(one.page, "output", JSON.stringify(state));
  await press("join");
  await shows(one.page, "output", JSON.stringify({ ...state, status: 403 }));
  assert.deepEqual(await one.page.evaluate(() => globalThis.unhandled), [], "what is refused is in the state alone");

  // A component that shows the topic again has its present state.
  await user.call("PUT", "/api/topics/room:1/subscription");
  await one.page.evaluate(() => globalThis.setRoom("room:1"));
  await both({ subscribed: true });
}

/** @param {import("playwright-core").Page} page @param {string} selector @param {string} text */
async function shows(page, selector, text) {
  const isShown = ([where, wanted]) => document.querySelector(where)?.textContent === wanted;
  await page.waitForFunction(isShown, [selector, text], { polling: 50 }).catch(async (cause) => {
    throw new Error(`${selector} shows ${await page.textContent(selector)} and not ${text}`, { cause });
  });
}
