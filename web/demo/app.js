// The page at "/": wires the stream to the list, the status panel, the frame log and the test form.

import { call, claims, forgetToken, setToken, takeTokenFromFragment, token } from "./api.js";
import { Inbox } from "./inbox.js";
import { Stream } from "./stream.js";

const PAGE = 20;
const FRAMES_KEPT = 50;
const STATES = { connecting: "Connecting", catchingUp: "Catching up", live: "Live", offline: "Offline", expired: "Token expired" };
const PATHS = { read: "/read", unread: "/unread", archive: "/archive", delete: "" };

const $ = (id) => document.getElementById(id);
const inbox = new Inbox($("items"), act);
const stream = new Stream({ state: showState, list: loadList, frame: receive });
let nextPage = null;
// While a list is on its way its answer may be older than frames that arrive before it: they wait, in order.
let held = null;
let loading = Promise.resolve();
// Counts sign-ins: an answer that was asked for by an earlier one must not be shown to this one.
let signIn = 0;
let lastLogged = "";

/** Runs list loads one after the other; frames that arrive meanwhile are applied after the answer. */
function withFramesHeld(work) {
  const turn = loading.then(async () => {
    held = [];
    try {
      return await work();
    } finally {
      const waiting = held;
      held = null;
      waiting.forEach(([name, data]) => applyFrame(name, data));
      showEmpty();
    }
  });
  loading = turn.catch(() => {});
  return turn;
}

function loadList() {
  const asker = signIn;
  return withFramesHeld(async () => {
    const answer = await call("GET", `/api/notifications?limit=${PAGE}`);
    if (asker !== signIn) return null;
    inbox.replace(answer.notifications);
    showPage(answer);
    return answer.cursor;
  });
}

function loadOlder() {
  const asker = signIn;
  return withFramesHeld(async () => {
    const answer = await call("GET", `/api/notifications?limit=${PAGE}&page=${encodeURIComponent(nextPage)}`);
    if (asker !== signIn) return;
    answer.notifications.forEach((each) => inbox.put(each));
    showPage(answer);
  });
}

function showPage(answer) {
  nextPage = answer.hasMore ? answer.nextPage ?? null : null;
  $("more").hidden = nextPage === null;
  showUnread(answer.unread);
}

function receive(name, data, id, raw) {
  logFrame(name, id, raw);
  $("cursor").textContent = stream.cursor ?? "–";
  if (name === "hello") greet(data);
  else if (name === "expiring") askForToken("The token expires soon", "Paste a fresh one of the same user to keep the stream open.");
  else if (name === "bye") $("verdict").textContent = `closed by the server: ${data.reason ?? "no reason"}`;
  else if (held) held.push([name, data]);
  else applyFrame(name, data);
}

function applyFrame(name, data) {
  if (name === "notification") inbox.put(data, true);
  else if (name === "state") inbox.apply(data);
  else if (data.unread === undefined) return;
  showUnread(data.unread);
  showEmpty();
}

function greet(hello) {
  const missed = hello.missed > 0 ? `, ${hello.missed} missed` : "";
  const reason = hello.reason ? ` (${hello.reason})` : "";
  $("verdict").textContent = `${hello.verdict}${reason}${missed}`;
  $("connection").textContent = hello.connectionId ?? "–";
  $("heartbeat").textContent = hello.heartbeatMs ? `every ${hello.heartbeatMs / 1000} s` : "–";
  if (hello.verdict === "reset") reload();
  else if (held) held.push(["state", { ids: [], unread: hello.unread }]);
  else showUnread(hello.unread);
}

/** Loads the list under an open stream; if that fails, the next connect begins with it. */
async function reload() {
  try {
    await loadList();
  } catch (error) {
    report(error);
    stream.needsList = true;
    if (stream.open) stream.start();
  }
}

async function act(verb, id) {
  try {
    await call(verb === "delete" ? "DELETE" : "POST", `/api/notifications/${encodeURIComponent(id)}${PATHS[verb]}`);
    await catchUpIfOffline();
  } catch (error) {
    report(error);
  }
}

/** What was done arrives as a frame; without a stream the list is asked instead. */
async function catchUpIfOffline() {
  if (stream.open) return;
  const cursor = await loadList();
  if (!stream.open) stream.cursor = cursor;
}

async function publish(event) {
  event.preventDefault();
  const form = new FormData(event.target);
  const button = $("publish");
  const body = { users: [claims()?.sub ?? ""], title: form.get("title"), priority: form.get("priority"), kind: form.get("kind") };
  if (form.get("message")) body.message = form.get("message");
  button.disabled = true;
  $("publish-result").className = "result";
  $("publish-result").textContent = "";
  try {
    const answer = await call("POST", "/api/notifications", body);
    $("publish-result").textContent = `Stored as ${answer?.id ?? "a new notification"}.`;
    await catchUpIfOffline();
  } catch (error) {
    $("publish-result").className = "result bad";
    $("publish-result").textContent = error.message;
  } finally {
    button.disabled = false;
  }
}

function showState(state, retryMs, error) {
  const wait = retryMs > 0 ? `, again in ${Math.max(1, Math.round(retryMs / 1000))} s` : "";
  $("state").dataset.state = state;
  $("state-text").textContent = STATES[state] + wait;
  $("reconnect").textContent = state === "live" || state === "catchingUp" ? "Reconnect" : "Connect now";
  if (state === "expired") askForToken("Token expired", "It is no longer accepted. Paste a fresh one to go on.");
  else if (error) report(error);
  else if (state === "live") hideNotice();
}

function showUnread(count) {
  if (typeof count !== "number") return;
  $("unread-count").textContent = count.toLocaleString();
  $("unread").classList.toggle("some", count > 0);
  document.title = count > 0 ? `(${count}) Tidings` : "Tidings";
}

function showEmpty() {
  $("empty").hidden = inbox.size > 0;
}

// The browser repeats the last id on events that carried none; only a move is shown.
function logFrame(name, id, raw) {
  const moved = id !== "" && id !== lastLogged;
  lastLogged = id || lastLogged;
  const row = document.createElement("li");
  const cells = [["time", new Date().toLocaleTimeString([], { hour12: false })], ["b", name], ["i", moved ? id : "no id"], ["code", raw]];
  for (const [tag, text] of cells) {
    const cell = document.createElement(tag);
    cell.textContent = text;
    row.append(cell, " ");
  }
  row.className = "frame";
  row.dataset.event = name;
  $("log").prepend(row);
  while ($("log").children.length > FRAMES_KEPT) $("log").lastElementChild.remove();
}

function report(error) {
  showNotice(error.title ?? "Something went wrong", error.detail ?? error.message);
}

function showNotice(title, detail) {
  $("notice-title").textContent = title;
  $("notice-detail").textContent = detail;
  $("notice").hidden = false;
}

function hideNotice() {
  $("notice").hidden = true;
}

function askForToken(title, text) {
  $("gate-title").textContent = title;
  $("gate-text").textContent = text;
  $("gate").hidden = false;
}

/** A fresh token of the same user extends the open stream; any other token starts over. */
async function submitToken(event) {
  event.preventDefault();
  const before = claims();
  if (!setToken($("token").value)) return;
  $("token").value = "";
  const after = claims();
  const sameUser = before && after && before.sub === after.sub && (before.tenant ?? "default") === (after.tenant ?? "default");
  if (!sameUser || !stream.open || !stream.connectionId) return begin();
  try {
    await call("POST", `/api/streams/${encodeURIComponent(stream.connectionId)}/token`);
    showBoard();
  } catch {
    begin();
  }
}

function showBoard() {
  const who = claims();
  $("gate").hidden = true;
  $("board").hidden = false;
  $("sign-out").hidden = false;
  $("who").hidden = !who?.sub;
  $("who").textContent = who?.tenant && who.tenant !== "default" ? `${who.sub} · ${who.tenant}` : who?.sub ?? "";
  const publishes = String(who?.scope ?? "").split(" ").some((word) => word === "publish" || word === "admin");
  $("publish").disabled = !publishes;
  $("publish-result").className = "result";
  $("publish-result").textContent = publishes ? "" : "This token has no publish scope.";
}

function begin() {
  signIn += 1;
  hideNotice();
  inbox.replace([]);
  showBoard();
  stream.restart();
}

function signOut() {
  signIn += 1;
  stream.stop();
  forgetToken();
  inbox.replace([]);
  $("log").replaceChildren();
  document.title = "Tidings";
  $("board").hidden = $("sign-out").hidden = $("who").hidden = true;
  $("state-text").textContent = "Not signed in";
  hideNotice();
  askForToken("Open an inbox", "Paste a token. It stays in this tab and is sent to this server only.");
  $("token").focus();
}

async function run(button, work) {
  button.disabled = true;
  try {
    await work();
  } catch (error) {
    report(error);
  } finally {
    button.disabled = false;
  }
}

$("token-form").addEventListener("submit", submitToken);
$("publish-form").addEventListener("submit", publish);
$("sign-out").addEventListener("click", signOut);
$("notice-close").addEventListener("click", hideNotice);
$("log-clear").addEventListener("click", () => $("log").replaceChildren());
$("reconnect").addEventListener("click", () => stream.start());
$("more").addEventListener("click", () => run($("more"), loadOlder));
$("read-all").addEventListener("click", () => run($("read-all"), async () => {
  await call("POST", "/api/notifications/read-all");
  await catchUpIfOffline();
}));
addEventListener("online", () => stream.hurry());
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && stream.hurry());
addEventListener("hashchange", () => takeTokenFromFragment() && begin());
// A page put aside for the back button must not hold a connection; when it returns it resumes from its cursor.
addEventListener("pagehide", () => token() && stream.stop());
addEventListener("pageshow", (event) => event.persisted && token() && stream.start());

takeTokenFromFragment();
if (token()) begin();
else askForToken("Open an inbox", "Paste a token. It stays in this tab and is sent to this server only.");
