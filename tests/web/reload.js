// Pages are reloaded, and closed and opened again: the changes in between are reported once, as missed.

import assert from "node:assert/strict";

import { Browser, Publisher, publish, scenario } from "./harness/scenario.js";

await scenario(async () => {
  const browser = await Browser.of("u1");
  const tab = await browser.open();
  const publisher = new Publisher("u1", "n", 10);
  for (let round = 0; round < 5; round++) {
    await publisher.more(10);
    await tab.page.reload();
    await publisher.more(10);
    await tab.live();
  }
  await tab.heardExactly(await publisher.stop());

  await tab.close();
  await publish({ users: ["u1"], title: "nobody looks" });
  const next = await browser.open();
  await next.heardExactly(["nobody looks"]);
  assert.equal((await next.told())[0].missed, true);
  await next.close();
  const last = await browser.open();
  await last.heardExactly([]);
});
