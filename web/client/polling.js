// The stream by long polling, for where a proxy holds streams back.

const WAIT_S = 25;

/** @param {{id?: string, event: string, data: any}[]} events of an answer @returns {import("./types.js").Frame[]} */
export const named = (events) => events.map(({ id = null, event, data }) => ({ name: event, id, data }));

/**
 * The events that follow the cursor, as a stream has them: first a hello, heartbeats while nothing happens.
 * @param {import("./api.js").Api} api
 * @param {Record<string, any>} query
 * @param {import("./api.js").Credential} _ is that of all calls
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<import("./types.js").Frame>}
 */
export async function* polling(api, query, _, signal) {
  let begun = false;
  for (let { cursor } = query; ; ) {
    const asked = { ...query, cursor, wait: begun ? WAIT_S : 0 };
    const answer = await api.call("GET", "/api/notifications/changes", { query: asked, signal, timeoutMs: WAIT_S * 2000 });
    const { events, ...verdict } = answer;
    if (!begun || answer.verdict === "reset") yield { name: "hello", id: null, data: { ...verdict, heartbeatMs: WAIT_S * 1000 } };
    begun = true;
    yield* named(events);
    // One hello may be followed by answers for days: each says the server's time.
    const data = { timestamp: answer.timestamp };
    yield answer.cursor === cursor ? { name: "heartbeat", id: null, data } : { name: "", id: answer.cursor, data };
    cursor = answer.cursor;
  }
}
