// The tab that holds the connection is frozen by the browser: another takes over. Back again, it learns what it slept through.

import { Browser, Publisher, leader, openStreams, scenario } from "./harness/scenario.js";

await scenario(async () => {
  const browser = await Browser.of("u1");
  const tabs = [await browser.open(), await browser.open(), await browser.open()];
  const publisher = new Publisher("u1", "n", 10);
  for (let round = 0; round < 3; round++) {
    await publisher.more(20);
    const first = await leader(tabs);
    await first.freeze();
    const others = tabs.filter((tab) => tab !== first);
    await leader(others);
    await publisher.more(20);
    for (const tab of others) await tab.hears(publisher.titles[publisher.titles.length - 1]);
    await first.thaw();
    await first.hears(publisher.titles[publisher.titles.length - 1]);
  }
  const titles = await publisher.stop();
  for (const tab of tabs) await tab.heardExactly(titles);
  await openStreams(1);
});
