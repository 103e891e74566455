// The operations desk: its buttons break connections, and each of its publishes arrives once.

import assert from "node:assert/strict";

import { Desk } from "./harness/desk.js";
import { openStreams, scenario, token } from "./harness/scenario.js";

const EXAMPLES = ["Payment received", "Escalation", "Overdue callback", "Due callback", "Missed call", "Ticket assigned", "In ten seconds"];

await scenario(async () => {
  const desk = await Desk.of("u1");
  assert(!desk.page.url().includes("token"), "the token does not stay in the address bar");
  await desk.reads("first", "Press Publish");
  await desk.reads("verdict", "Joined at the cursor of the list");
  for (const example of EXAMPLES) await desk.publish(example);
  await desk.publish("Reply on a thread");
  await desk.publish("Reply on a thread");
  await desk.reads("next", "2 on this thread");
  await desk.reads("callbacks", "2h overdue");
  await desk.press("Done: Call");
  await desk.page.waitForFunction(() => document.getElementById("callbacks").children.length === 1);
  await desk.counted({ published: 9, arrived: 9, missed: 0, twice: 0 });

  await desk.press("Drop the connection");
  await desk.reads("log", "No connection");
  await desk.is("live");
  await desk.reads("verdict", "Resumed: nothing was missed");

  const [page] = await Promise.all([desk.page.context().waitForEvent("page"), desk.press("Open a second tab")]);
  const second = new Desk(page);
  await second.is("live");
  await openStreams(1);
  await second.reads("holder", "another tab");
  await second.reads("verdict", "another tab of this user holds the connection");

  await second.press("Go offline");
  for (const tab of [desk, second]) await tab.is("offline");
  await desk.publish("Missed call");
  await desk.publish("Payment received");
  await desk.counted({ published: 11, arrived: 9, missed: 0 });
  await desk.reads("counts-say", "2 on the way");
  await desk.press("Go online");
  await desk.counted({ arrived: 11, missed: 0, twice: 0 });
  for (const tab of [desk, second]) await tab.reads("verdict", "Resumed: 2 changes were missed");

  await desk.press("Expire the token");
  for (const tab of [desk, second]) await tab.is("expired");
  await desk.publish("Ticket assigned");
  await second.press("Sign in again");
  for (const tab of [desk, second]) await tab.is("live");
  await desk.counted({ published: 12, arrived: 12 });

  await desk.press("Miss twenty");
  await desk.counted({ published: 32, arrived: 32 });
  await desk.press("Repeat a publish");
  await desk.reads("result", "Sent twice, stored once");
  await desk.counted({ published: 33, arrived: 33, missed: 0, twice: 0 });
  await desk.press("Publish");
  await desk.counted({ published: 34, arrived: 34 });
  await desk.reads("result", /^Stored and acknowledged/);

  for (const what of ["null", "3", "[]"]) {
    await desk.write(what);
    await desk.reads("result", "A notification is an object");
  }
  const keyed = { users: ["u1"], title: "keyed", idempotencyKey: "desk" };
  await desk.write(keyed);
  await desk.counted({ published: 35, arrived: 35 });
  await desk.write(keyed);
  await desk.reads("result", "Nothing was stored: the idempotency key is known");
  assert.equal(await desk.page.locator("#result").getAttribute("data-result"), "warn", "it is no success");
  await desk.counted({ published: 35, arrived: 35, missed: 0, twice: 0 });
  await desk.reads("counts-say", "Everything that was acknowledged has arrived, once.");
  await openStreams(1);

  const reader = await Desk.of("u2", { scope: "" });
  await reader.reads("no-scope", "This token may not publish");
  for (const id of ["publish", "miss", "repeat"]) assert(await reader.page.locator(`#${id}`).isDisabled());
  await reader.reads("miss", "this token may not publish");

  const refused = await Desk.refused();
  for (const id of ["board", "bell", "sign-out"]) assert(await refused.page.locator(`#${id}`).isHidden(), "there is the gate alone");
  await refused.enter(await token("u3", { scope: "publish" }));
  await refused.is("live");
  await refused.reads("first", "Press Publish");
});
