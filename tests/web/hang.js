// The tab that holds the connection hangs, and cannot say so: another one takes over in the end, however busy other tabs are. The hung tab
// receives what it missed.

import { Browser, Publisher, leader, openStreams, scenario } from "./harness/scenario.js";

await scenario(async () => {
  const browser = await Browser.of("u1");
  const tabs = [await browser.open(), await browser.open(), await browser.open()];
  const restless = await browser.open();
  const publisher = new Publisher("u1", "n", 20);
  await publisher.more(10);
  const first = await leader(tabs);
  const others = tabs.filter((tab) => tab !== first);
  const goOn = await first.hang();
  // Words of other tabs prove nothing of the tab that hangs: users ask them to reconnect, and pages come and go.
  for (const tab of others) await tab.run(() => void (globalThis.asking = setInterval(() => client.reconnect(), 200)));
  await restless.run(() => {
    globalThis.coming = setInterval(() => {
      dispatchEvent(new PageTransitionEvent("pagehide"));
      dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
    }, 200);
  });
  // By their clocks they have received nothing for a minute; then they ask, and get no answer.
  for (const tab of others) await tab.skip(60000);
  await leader(others);
  for (const tab of others) await tab.run(() => clearInterval(globalThis.asking));
  await restless.run(() => clearInterval(globalThis.coming));
  await publisher.more(10);
  const titles = await publisher.stop();
  for (const tab of [...others, restless]) await tab.heardExactly(titles);
  await goOn();
  await first.heardExactly(titles);
  await openStreams(1);
});
