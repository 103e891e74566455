// A page is left and comes back from the browser's cache: it continues at its position.

import assert from "node:assert/strict";

import { Browser, openStreams, publish, scenario } from "./harness/scenario.js";

await scenario(async () => {
  const browser = await Browser.of("u1");
  const tab = await browser.open();
  await publish({ users: ["u1"], title: "before" });
  await tab.hears("before");
  await tab.run(() => (globalThis.mark = "the same page"));
  const titles = ["before"];
  for (const title of ["away", "away again"]) {
    await tab.page.goto(`${browser.url}/assets/icon.svg`);
    await openStreams(0);
    await publish({ users: ["u1"], title });
    titles.push(title);
    // A page that comes out of the cache has loaded long ago.
    await tab.page.goBack({ waitUntil: "commit" });
    await tab.live();
    await tab.heardExactly(titles);
    assert.equal(await tab.run(() => globalThis.mark), "the same page");
  }
  assert.deepEqual((await tab.told()).map(({ missed }) => missed), [false, true, true]);
  await openStreams(1);
});
