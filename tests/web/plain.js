// The `EventSource` of the browser itself, with the cookie: it resumes by itself when its instance dies or drains.

import { Listener } from "./harness/listener.js";
import { Browser, scenario, token } from "./harness/scenario.js";

await scenario(async () => {
  const browser = await Browser.of("u1");
  await browser.context.addCookies([{ name: "tidings_token", value: await token("u1"), url: browser.url, httpOnly: true }]);
  const listener = new Listener("u1");
  await browser.context.exposeFunction("greeted", (data) => listener.greeted(data));
  await browser.context.exposeFunction("heard", (data) => listener.heard(data));
  await browser.context.exposeFunction("failed", (end) => listener.failed(end));
  const page = await browser.context.newPage();
  await page.goto(`${browser.url}/docs`);
  await page.evaluate(() => {
    const source = new EventSource("/api/notifications/stream");
    source.addEventListener("hello", ({ data }) => greeted(JSON.parse(data)));
    source.addEventListener("notification", ({ data }) => heard(JSON.parse(data)));
    source.onerror = () => failed(source.readyState === EventSource.CLOSED ? "it gave up" : null);
  });
  await listener.survivesDeaths();
});
