// The meaning of each event of a stream, in a sentence.

import { isolated } from "../elements/texts.js";

/** @typedef {import("../client/types.js").Frame} Frame */

/** @type {Record<string, string>} */
const RESETS = {
  pruned: "the cursor reaches back further than the server remembers",
  epoch: "the cursor is of another stream",
  tooFar: "too much was missed to replay it",
  invalid: "the cursor is not one of this server's",
};

/** @type {Record<string, string>} */
const BYES = {
  draining: "the instance is about to stop; another one goes on",
  expired: "the token has ended",
  revoked: "the token was revoked",
  rotated: "the connection has lived long enough",
  overloaded: "there is no room at the moment",
};

/**
 * What a `hello` finds: a page that went on before, or one that begins, by itself or with the connection of another tab.
 * @typedef {"goesOn" | "begins" | "joins"} Stage
 */

/** @type {Record<string, (frame: Frame, stage: Stage) => string>} */
const MEANINGS = {
  "": () => "Moves the cursor past changes that are not for this stream.",
  retry: ({ data }) => `Should the stream end, come back after ${seconds(data.retryMs)}.`,
  hello: ({ data }, stage) => verdict(data, stage),
  notification: ({ data }) => `${isolated(data.title)}. ${data.unread} unread now.`,
  state: ({ data }) => `${items(data.ids)} changed: ${changes(data).join(", ")}. ${data.unread} unread now.`,
  subscription: ({ data }) => `${data.subscribed ? "Subscribed to" : "No longer subscribed to"} ${isolated(data.topic)}.`,
  settings: () => "The user's settings were changed.",
  signal: ({ data }) => `${data.kind}${data.topic ? ` on ${isolated(data.topic)}` : ""}: not stored, the newest counts.`,
  heartbeat: () => "The line is alive. The cursor stays where it is.",
  expiring: () => "The token ends within a minute: a fresh one keeps the stream open.",
  bye: ({ data }) => `The server ends the stream: ${BYES[data.reason] ?? data.reason}.`,
};

/** @param {Frame} frame @param {Stage} stage */
export function explain(frame, stage) {
  return MEANINGS[frame.name]?.(frame, stage) ?? "";
}

/** The meaning of the verdict on a (re)connect. @param {any} hello @param {Stage} stage */
function verdict({ verdict, missed, reason }, stage) {
  if (stage === "joins") return "Joined: another tab of this user holds the connection.";
  if (verdict === "reset") return `Reset: ${RESETS[reason] ?? reason}, so the list is loaded anew.`;
  if (verdict === "fresh") return "Fresh: there was no cursor to resume from.";
  if (missed === 0) return stage === "begins" ? "Joined at the cursor of the list: nothing lies between." : "Resumed: nothing was missed.";
  return `Resumed: ${missed} ${missed === 1 ? "change was" : "changes were"} missed and ${missed === 1 ? "follows" : "follow"} now.`;
}

/** The event as it came over the wire; characters that turn what follows are escapes of JSON. @param {Frame} frame */
export function wire({ name, id, data }) {
  if (name === "retry") return `retry: ${data.retryMs}`;
  const fields = { id, event: name || null, data: name ? JSON.stringify(data).replace(/[\u202a-\u202e\u2066-\u2069]/g, (char) => `\\u${char.charCodeAt(0).toString(16)}`) : null };
  return Object.entries(fields).filter(([, value]) => value !== null).map(([field, value]) => `${field}: ${value}`).join("\n");
}

/** @param {string[]} ids */
const items = (ids) => (ids.length === 1 ? "1 item" : `${ids.length} items`);

/** @param {any} data */
function changes({ read, seen, archived, deleted, snoozedUntil, dueState }) {
  if (deleted) return ["deleted"];
  const known = [read ? "read" : "unread", seen && "seen", archived && "archived", snoozedUntil && "snoozed", dueState];
  return known.filter(Boolean);
}

/** @param {number} ms */
export const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
