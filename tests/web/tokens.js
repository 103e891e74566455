// Tokens that end soon: every connection is opened with a fresh one, and without one nothing is asked.

import assert from "node:assert/strict";

import { Browser, publish, scenario, stage, until } from "./harness/scenario.js";

await scenario(async () => {
  const browser = await Browser.of("u1");
  const requests = browser.requests();
  /** @type {string[]} */
  const handed = [];
  browser.handOut = async () => {
    handed.push(await stage.token("u1", { seconds: 5 }));
    return handed[handed.length - 1];
  };
  const tab = await browser.open();
  const docs = requests.filter(({ path }) => path !== "/api/openapi.json");
  assert.equal(docs.length, 2, "the list and the stream");
  await publish({ users: ["u1"], title: "with the first token" });
  await tab.hears("with the first token");

  // The open stream goes on beyond the end of the token it was opened with.
  const first = handed[0];
  const streams = () => requests.filter(({ path }) => path === "/api/notifications/stream");
  await until("the first token has ended", () => Date.now() > ends(first));
  await publish({ users: ["u1"], title: "with a later token" });
  await tab.hears("with a later token");
  assert.equal(streams().length, 1, "the stream was extended, not opened anew");

  // Back after all tokens have ended.
  await browser.context.setOffline(true);
  await tab.is("offline");
  const last = handed[handed.length - 1];
  await until("the last token has ended", () => Date.now() > ends(last));
  await publish({ users: ["u1"], title: "while away" });
  await browser.context.setOffline(false);
  await tab.live();
  await tab.hears("while away");
  const opened = streams().map(({ authorization }) => authorization);
  assert.equal(new Set(opened).size, opened.length, "no two streams are opened with the same token");

  // While the application has none to give, nothing is asked with an old one or with none.
  const sent = requests.length;
  browser.handOut = () => Promise.reject(new Error("no token today"));
  await tab.run(() => client.drop());
  await tab.is("offline");
  await until("it asks again", () => tab.run(() => events.filter(([name, each]) => name === "connection" && each.connection === "offline").length > 2));
  assert.deepEqual(requests.slice(sent), []);
  browser.handOut = () => stage.token("u1");
  await tab.run(() => client.reconnect());
  await tab.live();
  await tab.heardExactly(["with the first token", "with a later token", "while away"]);
  const known = requests.filter(({ path }) => path !== "/api/openapi.json");
  assert(known.every(({ authorization }) => authorization?.startsWith("Bearer ")), "nothing is asked as nobody");
});

/** When a token ends, in ms since 1970. @param {string} token */
const ends = (token) => JSON.parse(Buffer.from(token.split(".")[1], "base64url").toString()).exp * 1000;
