// A proxy serves Tidings below a path of its host.

import assert from "node:assert/strict";

import { Browser, scenario, stage, token } from "./harness/scenario.js";
import { Desk } from "./harness/desk.js";

await scenario(async () => {
  const url = await stage.subPathProxy();
  const browser = await Browser.of("u1", { url });
  /** @type {string[]} */
  const failed = [];
  browser.context.on("response", (response) => response.status() >= 400 && failed.push(`${response.status()} ${response.url()}`));
  const desk = new Desk(await browser.context.newPage());
  await desk.page.goto(`${url}/#token=${await token("u1", { scope: "publish" })}`);
  await desk.is("live");
  await desk.publish("Escalation");
  await desk.counted({ arrived: 1 });
  assert.match(await desk.page.locator("#curl").textContent() ?? "", new RegExp(`^curl ${url}/api/notifications `));
  await desk.page.locator("tidings-toasts .card[data-priority=critical]").waitFor();
  const bell = desk.page.locator("tidings-bell");
  await bell.getByRole("button", { name: /^Notifications/ }).press("Enter");
  await bell.locator(".row").first().waitFor();
  await bell.getByRole("button", { name: "Settings" }).click();
  await bell.getByRole("heading", { name: "Quiet hours" }).waitFor();
  await desk.page.keyboard.press("Escape");
  const opened = browser.context.waitForEvent("page");
  await desk.press("Open a second tab");
  const second = new Desk(await opened);
  await second.page.waitForURL(`${url}/`);

  await desk.page.getByRole("link", { name: "API" }).click();
  await desk.page.locator("section.operation").first().waitFor();
  const samples = await desk.page.locator("section.operation .sample").allTextContents();
  assert(samples.some((sample) => sample.includes(`${url}/api/notifications`)));
  const document = await desk.page.getByRole("link", { name: "OpenAPI document" }).getAttribute("href");
  const answer = await desk.page.request.get(new URL(document ?? "", desk.page.url()).href);
  assert.equal(answer.status(), 200);
  await desk.page.getByRole("link", { name: "Demo" }).click();
  await desk.page.waitForURL(`${url}/`);
  for (const transport of /** @type {const} */ (["websocket", "polling"])) {
    const tab = await browser.open({ url, transport, shareConnection: false });
    assert.equal(await tab.run(() => client.state.unread), 1);
  }
  assert.deepEqual(failed, []);
});
