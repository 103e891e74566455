// Redis is killed and comes back empty, twice, while notifications flow through three instances.

import { Browser, Publisher, scenario, stage } from "./harness/scenario.js";

await scenario(async () => {
  const browsers = [await Browser.of("u1"), await Browser.of("u1"), await Browser.of("u1")];
  const tabs = [];
  for (const browser of browsers) tabs.push(await browser.open());
  const publisher = new Publisher("u1", "n", 20);
  for (let round = 0; round < 2; round++) {
    await publisher.more(10);
    await stage.killRedis();
    await publisher.more(10);
    for (const tab of tabs) await tab.hears(publisher.titles[publisher.titles.length - 1]);
    await stage.startRedis();
  }
  await publisher.more(10);
  const titles = await publisher.stop();
  for (const tab of tabs) await tab.heardExactly(titles);
});
