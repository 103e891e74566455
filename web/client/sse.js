// Server-Sent Events (WHATWG HTML, section 9.2) read by `fetch`, which unlike `EventSource` can send a token and distinguishes a refusal
// from a broken connection.

import { problem } from "./api.js";

/**
 * The events of one stream, until it ends; throws a `Problem` when it cannot be opened or breaks.
 * @param {import("./api.js").Api} api
 * @param {Record<string, any>} query
 * @param {import("./api.js").Credential} credential
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<import("./types.js").Frame>}
 */
export async function* sse(api, query, { token, query: proof }, signal) {
  const headers = { Accept: "text/event-stream" };
  const answer = await api.fetch("/api/notifications/stream", { ...query, ...proof }, token, { headers, signal });
  if (!answer.ok || !answer.body) throw await problem(answer);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (true) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (text + value.replaceAll("\r", "")).split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) yield parse(block);
  }
}

/** @param {string} block @returns {import("./types.js").Frame} */
function parse(block) {
  /** @type {Record<string, string>} */
  const fields = {};
  for (const line of block.split("\n")) {
    const [, name, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    if (name) fields[name] = value;
  }
  const { event, id = null, data, retry } = fields;
  if (data) return { name: event, id, data: JSON.parse(data) };
  return retry ? { name: "retry", id, data: { retryMs: Number(retry) } } : { name: "", id, data: null };
}
