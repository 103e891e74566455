// An application in TypeScript that uses the packed package: it compiles, and wrong lines do not.

import { Problem, connect, type Client } from "tidings";
import { TidingsProvider, useConnection, useNotifications, useTopic } from "tidings/react";
import "tidings/bell";
import "tidings/settings";
import "tidings/toasts";
import type { OpenItemEvent } from "tidings/toasts";

const client: Client = connect({ url: "https://notify.example.com", getToken: async () => "token", transport: "websocket" });
const stop: () => void = client.subscribe(() => {
  const { items, unread, connection } = client.state;
  const titles: string[] = items.map((item) => item.title);
  if (connection === "live" && unread > 0) console.log(titles);
});
client.on("notification", ({ item, missed }) => console.log(item.dueAt?.length, missed === true));
client.on("caughtUp", ({ items }) => items[0]?.priority === "critical" && stop());
client.snooze("id", new Date()).catch((error: unknown) => error instanceof Problem && error.status === 409);

// @ts-expect-error there is no such transport
connect({ transport: "pigeon" });
// @ts-expect-error there is no such event
client.on("surprise", () => {});
// @ts-expect-error a state is never changed in place
client.state.items.push();
// @ts-expect-error a time is a Date
client.snooze("id", "tomorrow");

const bell = document.querySelector("tidings-bell");
if (bell) bell.client = client;
document.createElement("tidings-toasts").durations.high = 9000;
document.createElement("tidings-settings").client = null;
const opened = ({ detail: { item, url } }: OpenItemEvent) => console.log(item.title, url?.length);
document.body.addEventListener("tidings-open-item", opened);
document.addEventListener("tidings-open-item", opened);
addEventListener("tidings-open-item", (event) => opened(event));
bell?.addEventListener("tidings-toggle", ({ detail }) => (bell.open = !detail.open));
// @ts-expect-error a client is no string
document.createElement("tidings-bell").client = "client";

export function Badge() {
  const { unread, items, client } = useNotifications();
  const { connection, retryAt, reconnect } = useConnection();
  const { subscribed, mutedUntil, signals, join, mute } = useTopic("queue:7");
  const known: [number, boolean, string | null] = [unread, subscribed, mutedUntil];
  if (connection === "offline" && retryAt !== null) reconnect();
  if (!subscribed) void join();
  void mute(signals.length > 0 ? "forever" : null);
  void client.read(items[0].id);
  // @ts-expect-error a topic is needed
  useTopic(client);
  return TidingsProvider({ client, children: known.join() });
}
