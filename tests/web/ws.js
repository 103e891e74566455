// The npm package `ws` against the WebSocket: its messages, its close codes, and a resume at another instance.

import assert from "node:assert/strict";

import { Listener } from "./harness/listener.js";
import { User, holder, openStreams, publish, scenario, stage } from "./harness/scenario.js";
import { Socket } from "./harness/socket.js";

await scenario(async () => {
  await refusals();
  await messages();
  await openStreams(0);
  await deaths();
});

async function refusals() {
  const ended = await stage.token("u1", { seconds: -60 });
  for (const [token, code] of [[undefined, 4001], ["nonsense", 4002], [ended, 4003]]) {
    const socket = new Socket({ token });
    assert.equal((await socket.next()).type, "error");
    assert.equal(await socket.closed, code);
  }
  const foreign = new Socket({ token: await stage.token("u1"), origin: "https://elsewhere.example" });
  assert.equal(await foreign.refused, 403);
  const flood = await Socket.open("u1");
  for (let number = 0; number < 200; number++) flood.send({ type: "ping" });
  assert.equal(await flood.closed, 4008);
  const large = await Socket.open("u1");
  large.send({ type: "ping", id: "x".repeat(20000) });
  assert.equal(await large.closed, 1009);
}

async function messages() {
  const ids = [];
  for (const title of ["a", "b", "c"]) ids.push(await publish({ users: ["u2"], title, kind: title }));
  const socket = new Socket({ token: await stage.token("u2"), query: "?replay=1" });
  const connected = await socket.next();
  assert.equal(connected.verdict, "fresh");
  assert(connected.clientId && connected.timestamp && connected.cursor);
  const { payload } = await socket.next();
  assert.deepEqual([payload.id, payload.type, payload.title, payload.read], [ids[2], "c", "c", false]);

  socket.send({ type: "ping", id: 1 });
  const pong = await socket.next();
  assert.deepEqual([pong.type, pong.replyTo], ["pong", 1]);

  socket.send({ type: "get_history", limit: 2, offset: 1, id: "h" });
  const history = await socket.next();
  assert.deepEqual(history.notifications.map(({ title }) => title), ["b", "a"]);
  assert.deepEqual([history.total, history.hasMore, history.replyTo], [3, false, "h"]);

  socket.send({ type: "mark_read", notificationId: ids[0] });
  const answers = [await socket.next(), await socket.next()];
  const [marked, state] = ["marked_read", "state"].map((type) => answers.find((each) => each.type === type));
  assert.deepEqual([marked.notificationId, marked.unread], [ids[0], 2]);
  assert.deepEqual([state.payload.ids, state.payload.read], [[ids[0]], true]);
  assert((await new User("u2").list()).items[2].readAt);

  socket.send({ type: "subscribe", channels: ["wanted"] });
  assert.deepEqual((await socket.next()).channels, ["wanted"]);
  await publish({ users: ["u2"], title: "left out", kind: "other" });
  assert.equal((await socket.next()).type, "cursor");
  await publish({ users: ["u2"], title: "let through", kind: "wanted" });
  assert.equal((await socket.next()).payload.title, "let through");
  socket.send({ type: "unsubscribe", channels: ["wanted"] });
  assert.deepEqual((await socket.next()).channels, []);

  socket.send({ type: "resume", cursor: state.cursor });
  const resumed = await socket.next();
  assert.deepEqual([resumed.type, resumed.verdict, resumed.missed], ["connected", "resumed", 2]);
  for (const title of ["left out", "let through"]) assert.equal((await socket.next()).payload.title, title);

  socket.send({ type: "get_history", limit: 1000, id: "m" });
  const error = await socket.next();
  assert.deepEqual([error.type, error.message, error.replyTo], ["error", "get_history", "m"]);
  assert.equal(error.errors[0].pointer, "/limit");
  socket.close();
}

async function deaths() {
  const listener = new Listener("u3");
  /** @type {string | undefined} */
  let cursor;
  let isOver = false;
  /** @param {any} message */
  const hear = ({ type, payload, ...rest }) => {
    if (type === "connected") listener.greeted(rest);
    else if (type === "notification") listener.heard(payload);
    // The cursor of a resumed one moves with the replay.
    if (rest.verdict !== "resumed") cursor = rest.cursor ?? payload?.cursor ?? cursor;
  };
  const follow = async () => {
    while (!isOver) {
      const query = cursor ? `?cursor=${cursor}` : "";
      await new Socket({ token: await stage.token("u3"), query, hear }).closed;
    }
  };
  const following = follow();
  await listener.survivesDeaths();
  isOver = true;
  await stage.kill(await holder());
  await following;
}
