// An application of React that uses only the hooks.

import { Component, StrictMode, createElement as h, useState } from "react";
import { createRoot } from "react-dom/client";

import { Problem, connect } from "../../../web/client/index.js";
import { TidingsProvider, useConnection, useNotifications, useTopic } from "../../../web/react/index.js";

const client = (globalThis.client = connect({ getToken: () => globalThis.handOut() }));
globalThis.renders = 0;
globalThis.unhandled = [];
// The page that this application replaces has rejections of its own, of another sort.
addEventListener("unhandledrejection", ({ reason }) => reason instanceof Problem && globalThis.unhandled.push(reason.status));

function Inbox() {
  const { items, unread, client } = useNotifications();
  const rows = items.map((item) => h("li", { key: item.id, onClick: () => client.read(item.id) }, item.title));
  return h("section", null, h("b", { id: "unread" }, unread), h("ul", null, rows));
}

function Connection() {
  globalThis.renders++;
  return h("p", { id: "connection" }, useConnection().connection);
}

function Room({ name }) {
  const { loading, subscribed, mutedUntil, signals, problem, join, leave, mute } = useTopic(name);
  const last = signals.map(({ kind, key, data }) => `${kind}/${key}=${JSON.stringify(data)}`).join();
  const shown = { loading, subscribed, mutedUntil, last, status: problem?.status ?? null };
  const button = (id, act) => h("button", { id, onClick: () => void act() }, id);
  const buttons = [button("join", join), button("leave", leave), button("mute", () => mute("forever")), button("unmute", () => mute(null))];
  return h("section", null, h("output", null, JSON.stringify(shown)), ...buttons);
}

/** The same by a client that is given, without a provider. */
function Given() {
  const [{ unread }, { subscribed }] = [useNotifications(client), useTopic(client, "room:1")];
  return h("p", { id: "given" }, `${unread} ${useConnection(client).connection} ${subscribed}`);
}

function Lost() {
  return useNotifications().unread;
}

class Caught extends Component {
  state = { error: null };

  static getDerivedStateFromError(error) {
    return { error };
  }

  render() {
    return this.state.error ? h("p", { id: "caught" }, this.state.error.message) : this.props.children;
  }
}

function Desk() {
  const [room, setRoom] = useState("room:1");
  globalThis.setRoom = setRoom;
  return h(TidingsProvider, { client }, h(Inbox), h(Connection), room && h(Room, { name: room }));
}

addEventListener("DOMContentLoaded", () => {
  const root = document.createElement("main");
  document.body.replaceChildren(root);
  createRoot(root).render(h(StrictMode, null, h(Desk), h(Given), h(Caught, null, h(Lost))));
});
