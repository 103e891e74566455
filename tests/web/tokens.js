// Tokens that end soon: every connection is opened with a fresh one, and without one nothing is asked.

import assert from "node:assert/strict";

import { Browser, publish, scenario, stage, until } from "./harness/scenario.js";

await scenario(async () => {
  const browser = await Browser.of("u1");
  const requests = browser.requests();
  /** @type {string[]} */
  const handed = [];
  // For the list, for the stream, to go on with it; after the drop for the stream, and to go on with it.
  const lifetimes = [3600, 5, 3600, 4, 4];
  browser.handOut = async () => {
    const made = await stage.token("u1", { seconds: lifetimes.shift() });
    handed.push(made);
    return made;
  };
  const tab = await browser.open();
  await publish({ users: ["u1"], title: "with the first token" });
  await tab.hears("with the first token");

  // The open stream continues beyond the end of the token it was opened with.
  const streams = () => requests.filter(({ path }) => path === "/api/notifications/stream");
  await until("the stream's token has ended", () => Date.now() > ends(handed[1]));
  await publish({ users: ["u1"], title: "with a later token" });
  await tab.hears("with a later token");
  assert.equal(streams().length, 1, "the stream was extended, not opened anew");

  // Back after the tokens have ended that it had.
  await tab.run(() => client.drop());
  await until("it has the last of the short ones", () => lifetimes.length === 0);
  await browser.context.setOffline(true);
  await tab.is("offline");
  await until("both have ended", () => Date.now() > ends(handed[4]));
  await publish({ users: ["u1"], title: "while away" });
  await browser.context.setOffline(false);
  await tab.live();
  await tab.hears("while away");
  assert(streams().length > 2);
  const opened = streams().map(({ authorization }) => authorization);
  assert.equal(new Set(opened).size, opened.length, "no two streams are opened with the same token");

  // While the application has none to give, nothing is asked with an old one or with none.
  const sent = requests.length;
  let refusals = 0;
  browser.handOut = async () => {
    refusals++;
    throw new Error("no token today");
  };
  await tab.run(() => client.drop());
  await until("it has asked three times", async () => {
    await tab.run(() => client.reconnect());
    return refusals >= 3;
  });
  assert.deepEqual(requests.slice(sent), []);
  browser.handOut = () => stage.token("u1");
  await tab.run(() => client.reconnect());
  await tab.live();
  await tab.heardExactly(["with the first token", "with a later token", "while away"]);
  const known = requests.filter(({ path }) => path !== "/api/openapi.json");
  assert(known.every(({ authorization }) => authorization?.startsWith("Bearer ")), "nothing is asked as nobody");
});

/** When a token ends, in ms since 1970. @param {string} token */
function ends(token) {
  return JSON.parse(Buffer.from(token.split(".")[1], "base64url").toString()).exp * 1000;
}
