// The page at "/": an operations desk. Wires one client to the elements and to the panels of the page.

import { connect } from "../client/index.js";
import "../elements/bell.js";
import { isolated } from "../elements/texts.js";
import "../elements/toasts.js";
import { Desk } from "./desk.js";
import { explain } from "./frames.js";
import { Guarantees } from "./guarantees.js";
import { Log } from "./log.js";
import { $, BASE, follow, notify, report } from "./page.js";
import { placeToasts } from "./placement.js";
import { Publisher } from "./publisher.js";
import * as session from "./session.js";
import { Trouble } from "./trouble.js";

const STATES = { connecting: "Connecting", catchingUp: "Catching up", live: "Live", offline: "Offline", expired: "Token refused" };

const log = new Log($("log"));
const publisher = new Publisher();
/** @type {ReturnType<typeof begin> | null} */
let shift = null;
/** Whether no connection of this shift was answered yet. */
let isNew = true;

/** Everything that lasts as long as one user is signed in. */
function begin() {
  end();
  isNew = true;
  const { user, tenant } = session.identity();
  const client = connect({ url: BASE, token: session.token() });
  const trouble = new Trouble(client, `${user} of ${tenant}`, (frame) => hear(frame, "another tab"));
  const desk = new Desk(client);
  const guarantees = new Guarantees(client);
  publisher.follow(guarantees, client);
  client.subscribe(() => show(client));
  client.on("frame", (frame) => hear(frame, "this tab"));
  client.on("connection", (status) => {
    log.connection(status, isNew);
    if (status.connection === "expired" && !trouble.expired) lock(status.problem);
    // While the server is asked whether the token is good there is nothing to show.
    else if (status.connection !== "connecting" && $("board").hidden) showSignedIn(true);
  });
  client.on("expiring", () => askForToken("The token ends within a minute", "Paste a fresh one of the same user to keep the stream open."));
  // Without a connection its state shows the problem.
  client.on("problem", (problem) => client.state.connection === "live" && report(problem));
  for (const element of [$("bell"), $("toasts")]) /** @type {any} */ (element).client = client;
  $("who").textContent = tenant === "default" ? user : `${isolated(user)} of ${tenant}`;
  showSignedIn(true);
  $("board").hidden = true;
  show(client);
  // For the console: `await tidings.readAll()`, `tidings.state.items`.
  Object.assign(globalThis, { tidings: client });
  return { client, trouble, desk, guarantees };
}

function end() {
  if (!shift) return;
  shift.client.close();
  shift.trouble.close();
  shift.desk.close();
  for (const element of [$("bell"), $("toasts")]) /** @type {any} */ (element).client = null;
  log.clear();
  $("notice").hidden = true;
  shift = null;
}

/** @param {import("../client/index.js").Client} client */
function show({ state }) {
  const { connection, unread, cursor } = state;
  $("state").dataset.state = connection;
  if ($("state-text").textContent !== STATES[connection]) $("state-text").textContent = STATES[connection];
  $("cursor").textContent = cursor ?? "none yet";
  document.title = `${unread ? `(${unread}) ` : ""}Operations desk · Tidings`;
}

/** @param {import("../client/types.js").Frame} frame @param {string} holder the tab that received it */
function hear(frame, holder) {
  const stage = !isNew ? "goesOn" : holder === "this tab" ? "begins" : "joins";
  log.frame(frame, stage);
  $("holder").textContent = holder;
  if (frame.name === "hello" || frame.name === "bye") $("verdict").textContent = explain(frame, stage);
  if (frame.name === "hello") isNew = false;
}

/** The desk is closed until there is a token that the server accepts. @param {import("../client/types.js").Problem | null} problem */
function lock(problem) {
  showSignedIn(false);
  askForToken("The token is not accepted", problem?.detail || undefined);
}

/** @param {string} title @param {string} [text] */
function askForToken(title, text = "Paste a token. It stays in this tab and is sent to this server only.") {
  $("gate-title").textContent = title;
  $("gate-text").textContent = text;
  $("gate").hidden = false;
  $("token").focus();
}

/** The open connection continues with a fresh token of the same user; with a token of another user the desk begins again. */
async function takeToken() {
  const [before, field] = [session.token(), /** @type {HTMLTextAreaElement} */ ($("token"))];
  if (!session.keep(field.value)) return;
  field.value = "";
  $("gate").hidden = true;
  if (!shift || !session.isSameUser(before, session.token())) return void (shift = begin());
  await shift.client.setToken(session.token()).catch(report);
  publisher.follow(shift.guarantees, shift.client);
}

function signOut() {
  end();
  session.forget();
  showSignedIn(false);
  document.title = "Operations desk · Tidings";
  askForToken("Open a desk");
}

/** @param {boolean} isSignedIn */
function showSignedIn(isSignedIn) {
  for (const id of ["board", "state", "who", "sign-out", "bell", "toasts"]) $(id).hidden = !isSignedIn;
  $("gate").hidden = isSignedIn;
}

/** Publishes while this page is cut off, then comes back. @param {number} count */
async function miss(count) {
  if (!shift || publisher.isBusy) return;
  const { trouble } = shift;
  await trouble.spread({ offline: true });
  await publisher.publishFirst(count);
  await trouble.spread({ offline: false });
}

$("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  takeToken();
});
$("sign-out").addEventListener("click", signOut);
$("notice-close").addEventListener("click", () => ($("notice").hidden = true));
$("log-clear").addEventListener("click", () => log.clear());
$("miss").addEventListener("click", () => miss(20));
$("repeat").addEventListener("click", () => publisher.repeatFirst());
// The pages that notifications lead to are those of an application, which is not here.
document.addEventListener("tidings-open-item", (event) => {
  event.preventDefault();
  const { url } = /** @type {CustomEvent} */ (event).detail;
  if (url) follow(new URL(url, location.href));
  else notify("This notification leads nowhere.");
});
addEventListener("hashchange", () => session.takeFromAddress() && (shift = begin()));

placeToasts();
session.takeFromAddress();
if (session.token()) shift = begin();
else askForToken("Open a desk");
