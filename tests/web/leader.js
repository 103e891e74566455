// The tab that holds the connection is closed, or crashes: another takes over, and every tab receives everything once.

import { Browser, Publisher, leader, openStreams, scenario } from "./harness/scenario.js";

await scenario(async () => {
  const browser = await Browser.of("u1");
  let tabs = [];
  for (let number = 0; number < 6; number++) tabs.push(await browser.open());
  const publisher = new Publisher("u1", "n", 10);
  const ends = [(tab) => tab.close(), (tab) => tab.crash()];
  for (const end of [...ends, ...ends]) {
    await publisher.more(20);
    const first = await leader(tabs);
    await end(first);
    tabs = tabs.filter((tab) => tab !== first);
    await leader(tabs);
  }
  await publisher.more(20);
  const titles = await publisher.stop();
  for (const tab of tabs) await tab.heardExactly(titles);
  await openStreams(1);
});
