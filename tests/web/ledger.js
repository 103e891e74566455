// The counters of the desk show lost and repeated notifications.

import assert from "node:assert/strict";

import { Ledger } from "../../web/demo/ledger.js";
import { scenario } from "./harness/scenario.js";

/** @param {string} id @param {number} seq @param {Record<string, any>} [more] */
const item = (id, seq, more) => /** @type {any} */ ({ id, seq, ...more });

await scenario(async () => {
  const ledger = new Ledger();
  const counts = () => [ledger.published, ledger.arrived, ledger.missed, ledger.twice];
  /** @param {string} id @param {string | null} [thread] */
  const publish = (id, thread = null) => ledger.acknowledge(ledger.send(thread), id, false);

  publish("a");
  publish("b");
  assert.deepEqual(counts(), [2, 0, 0, 0]);
  ledger.arrive(item("b", 2), "e.2");
  assert.deepEqual(counts(), [2, 1, 1, 0], "a was stored before b was sent, so it comes before b");
  ledger.arrive(item("a", 1), "e.2");
  assert.deepEqual(counts(), [2, 2, 0, 0]);
  ledger.arrive(item("b", 2), "e.2");
  assert.deepEqual(counts(), [2, 2, 0, 1]);
  ledger.arrive(item("b", 3), "e.3");
  assert.deepEqual(counts(), [2, 2, 0, 1], "an item that comes back to the top comes as something new");

  const early = ledger.send(null);
  ledger.arrive(item("c", 4), "e.4");
  ledger.acknowledge(early, "c", false);
  assert.deepEqual(counts(), [3, 3, 0, 1], "the stream may be faster than the answer");
  ledger.withdraw(ledger.send(null));
  assert.deepEqual(counts(), [3, 3, 0, 1], "what was not stored is no publish");

  for (const id of ["t1", "t2", "t3"]) publish(id, "thread");
  ledger.arrive(item("t1", 7, { threadKey: "thread", count: 2 }), "e.7");
  assert.deepEqual(counts(), [6, 5, 0, 1], "an item that counts two is two of them");
  ledger.arrive(item("t1", 8, { threadKey: "thread", count: 3 }), "e.8");

  ledger.acknowledge(ledger.send(null), "later", true);
  publish("d");
  ledger.arrive(item("d", 9), "e.9");
  assert.deepEqual([...counts(), ledger.waiting], [8, 7, 0, 1, 1], "what is scheduled is passed by");
  publish("gone");
  ledger.mention(["gone"]);
  assert.deepEqual(counts(), [9, 8, 0, 1], "what was removed before it was shown is not missed");
});
