// The stream over a WebSocket, with the events of the other transports.

import { Problem } from "./api.js";

const CAUSES = "if other calls work, a proxy does not pass WebSockets on, or this page's origin is not among TIDINGS_CORS_ORIGINS of the server";
const REFUSED = { 4001: "There is no token", 4002: "The token is not accepted", 4003: "The token has expired" };

/**
 * @param {import("./api.js").Api} api
 * @param {Record<string, any>} query
 * @param {import("./api.js").Credential} credential
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<import("./types.js").Frame>}
 */
export async function* websocket(api, query, { token, query: proof }, signal) {
  const address = new URL(api.address("/ws/notifications", { ...query, ...proof }), location.href);
  address.protocol = address.protocol.replace("http", "ws");
  const socket = new WebSocket(address, token ? ["bearer", token] : []);
  /** @type {any[]} messages that came and are not taken yet; null is the end */
  const inbound = [];
  let ring = () => {};
  /** @param {any} what */
  const push = (what) => {
    inbound.push(what);
    ring();
  };
  socket.onmessage = ({ data }) => push(JSON.parse(data));
  let isOpen = false;
  socket.onopen = () => (isOpen = true);
  socket.onclose = ({ code }) => {
    if (code in REFUSED) push(new Problem(401, REFUSED[/** @type {4001} */ (code)]));
    // A browser hides from a page why a handshake was refused.
    else push(isOpen || signal.aborted ? null : new Problem(0, "The WebSocket did not open", CAUSES));
  };
  signal.addEventListener("abort", () => push(null), { once: true });
  try {
    while (true) {
      if (inbound.length === 0) await new Promise((resolve) => (ring = () => resolve(null)));
      const message = inbound.shift();
      if (message === null) return;
      if (message instanceof Problem) throw message;
      yield* frames(message);
    }
  } finally {
    socket.close();
  }
}

/** @param {any} message @returns {import("./types.js").Frame[]} */
function frames({ type, payload, cursor = null, ...rest }) {
  if (type === "connected") return [{ name: "hello", id: null, data: { ...rest, cursor, connectionId: rest.clientId } }];
  if (type === "cursor") return [{ name: "", id: cursor, data: null }];
  if (type === "notification") return [{ name: type, id: payload.cursor, data: payload }];
  return [{ name: type, id: cursor, data: payload ?? rest }];
}
