// A computer's clock is set while pages are open: no wait gets longer or shorter, and a connection that died is noticed in time.

import assert from "node:assert/strict";

import { BellTab } from "./harness/bell.js";
import { Browser, publish, scenario, until } from "./harness/scenario.js";

const DAY_MS = 86400000;
const STREAM = "/api/notifications/stream";

/** What comes through no stream any more is missed within seconds, whatever the clock says. @param {number} byMs */
async function noticesSilence(byMs) {
  const browser = await Browser.of("u1");
  const requests = browser.requests();
  const tab = await browser.open();
  await tab.silence();
  await tab.setClock(byMs);
  const title = `after ${byMs}`;
  await publish({ users: ["u1"], title });
  await tab.heardExactly([title]);
  assert.deepEqual(streams(requests), [STREAM, STREAM], "it was connected twice");
  await browser.context.close();
}

/** A clock that is set forward does not make a stream look held back. */
async function tellsAJumpFromSilence() {
  const browser = await Browser.of("u2");
  const requests = browser.requests();
  // The first stream gets no answer.
  await browser.context.route(`**${STREAM}*`, () => {}, { times: 1 });
  const tab = await browser.begin({ helloTimeoutMs: 30000 });
  await until("a stream is asked for", () => streams(requests).length === 1);
  await tab.setClock(DAY_MS);
  await tab.live();
  assert.deepEqual(streams(requests), [STREAM, STREAM], "there is one more stream, and no polling");
  await browser.context.close();
}

/** The bell counts down to the next try, however the clock is set. */
async function countsDown() {
  const browser = await Browser.of("u3");
  const tab = await browser.open();
  const centre = await BellTab.in(tab);
  await centre.open();
  // The next try is half an hour away.
  await tab.run(() => void (Math.random = () => 1800));
  await browser.context.setOffline(true);
  await tab.is("offline");
  const wait = centre.panel.getByText(/^Trying again in/);
  await wait.waitFor();
  for (const byMs of [-DAY_MS, 2 * DAY_MS]) {
    await tab.setClock(byMs);
    const before = await wait.innerText();
    await until("a second is over", async () => (await wait.innerText()) !== before);
    const [seconds] = /\d[\d,.]*/.exec(await wait.innerText()) ?? [];
    assert(Number(seconds?.replace(/\D/g, "")) <= 1800, `it tries again in ${seconds} s`);
  }
  await browser.context.close();
}

/** @param {{path: string}[]} requests for events */
const streams = (requests) => requests.map(({ path }) => path).filter((path) => [STREAM, "/api/notifications/changes"].includes(path));

await scenario(async () => {
  for (const byMs of [-DAY_MS, DAY_MS]) await noticesSilence(byMs);
  await tellsAJumpFromSilence();
  await countsDown();
});
