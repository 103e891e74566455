// The npm package `eventsource`, with the token in a header: it resumes by itself when its instance dies or drains.

import { EventSource } from "eventsource";

import { Listener } from "./harness/listener.js";
import { scenario, servers, token } from "./harness/scenario.js";

await scenario(async () => {
  const authorization = `Bearer ${await token("u1")}`;
  const listener = new Listener("u1");
  const source = new EventSource(`${servers.url}/api/notifications/stream`, {
    fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, authorization } }),
  });
  source.addEventListener("hello", ({ data }) => listener.greeted(JSON.parse(data)));
  source.addEventListener("notification", ({ data }) => listener.heard(JSON.parse(data)));
  source.onerror = () => listener.failed(source.readyState === EventSource.CLOSED ? "it gave up" : null);
  await listener.survivesDeaths();
  source.close();
});
