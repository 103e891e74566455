// A mistake of an application harms no other tab, and its own only as long as it lasts.

import { Browser, publish, scenario, stage } from "./harness/scenario.js";

await scenario(async () => {
  const browser = await Browser.of("u1");
  const good = browser.handOut;
  const careless = await browser.open();
  const other = await browser.open({ token: await stage.token("u1") }, "own");

  // Listeners that throw.
  await careless.run(() => {
    const fail = () => {
      throw new Error("a defect of the application");
    };
    client.on("notification", fail);
    client.subscribe(fail);
  });
  await publish({ users: ["u1"], title: "thrown at" });
  for (const tab of [careless, other]) await tab.heardExactly(["thrown at"]);

  // A token that never comes: another tab has one.
  browser.handOut = () => new Promise(() => {});
  await careless.run(() => client.drop());
  await publish({ users: ["u1"], title: "waited for" });
  for (const tab of [other, careless]) await tab.hears("waited for");
  await other.close();

  // A text that is no token, for a while: no other tab is there to help.
  browser.handOut = async () => "Bad gateway";
  await careless.run(() => client.reconnect());
  await careless.is("expired");
  browser.handOut = good;
  await careless.live();
  await publish({ users: ["u1"], title: "good again" });
  await careless.heardExactly(["thrown at", "waited for", "good again"]);
});
