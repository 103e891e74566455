// A WebSocket that is refused for the origin of its page: the browser hides why, so the client says what to look at.

import assert from "node:assert/strict";

import { Browser, scenario, stage } from "./harness/scenario.js";

await scenario(async () => {
  const url = await stage.hidingProxy();
  const browser = await Browser.of("u1", { url });
  const tab = await browser.begin({ transport: "websocket" });
  await tab.is("offline");
  await tab.until("the cause is said", () => client.state.problem !== null);
  const { status, title, detail } = await tab.run(() => ({ ...client.state.problem }));
  assert.deepEqual([status, title], [0, "The WebSocket did not open"]);
  assert.match(detail, /TIDINGS_CORS_ORIGINS/);
  await tab.close();
  // The stream needs no origin.
  await browser.open();
});
