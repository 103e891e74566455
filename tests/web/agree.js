// Tabs of one browser, and those of another, show the same at any moment, after actions in any of them.

import { Browser, Publisher, scenario } from "./harness/scenario.js";

await scenario(async () => {
  const [one, other] = [await Browser.of("u1"), await Browser.of("u1")];
  const tabs = [await one.open(), await one.open(), await other.open()];
  const publisher = new Publisher("u1");
  for (const [round, tab] of [...tabs, ...tabs].entries()) {
    await publisher.more(3);
    await tab.hears(publisher.titles[round * 3]);
    await tab.run(() => client.read(client.state.items[0].id));
    await tab.run(() => client.archive(client.state.items[1].id));
  }
  await tabs[1].run(() => client.readAll());
  await tabs[2].run(() => client.unread(client.state.items[0].id));
  const titles = await publisher.stop();
  for (const tab of tabs) await tab.heardExactly(titles);
});
