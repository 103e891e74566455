// Instances are killed and drained, again and again always the one that holds the stream, while notifications flow.

import { Browser, Publisher, holder, scenario, stage } from "./harness/scenario.js";

await scenario(async () => {
  const browsers = [await Browser.of("u1"), await Browser.of("u1")];
  const tabs = [await browsers[0].open(), await browsers[0].open(), await browsers[1].open()];
  const publisher = new Publisher("u1", "n", 20);
  for (const end of [stage.kill, stage.kill, stage.terminate, stage.kill, stage.terminate]) {
    await publisher.more(10);
    const instance = await holder();
    await end(instance);
    await publisher.more(10);
    for (const tab of tabs) await tab.hears(publisher.titles[publisher.titles.length - 1]);
    await stage.start(instance);
  }
  const titles = await publisher.stop();
  for (const tab of tabs) await tab.heardExactly(titles);
});
