// React hooks over the client. They draw nothing: the application renders.
//
//   <TidingsProvider client={client}>...</TidingsProvider>      client = connect(...), made once
//   const { items, unread, client } = useNotifications();       client.read(items[0].id)

import { createContext, createElement, useCallback, useContext, useMemo, useSyncExternalStore } from "react";

import { topicOf } from "./topic.js";

/** @typedef {import("../client/index.js").Client} Client */
/** @typedef {import("../client/types.js").State} State */
/** @typedef {import("../client/types.js").Status} Status */
/** @typedef {import("./topic.js").TopicState} TopicState */
/** @typedef {import("./topic.js").Topic} Topic */
/**
 * Brings the elements to JSX.
 * @template Element
 * @typedef {import("./elements.js").ElementProperties<Element>} ElementProperties
 */

const Provided = createContext(/** @type {Client | null} */ (null));

/**
 * Hands a client to all hooks below.
 * @param {{client: Client, children?: import("react").ReactNode}} properties
 */
export function TidingsProvider({ client, children }) {
  return createElement(Provided.Provider, { value: client }, children);
}

/**
 * The inbox, and the client to act with. Renders again after each change of the inbox.
 * @param {Client} [client] may be left out under a provider
 * @returns {State & {client: Client}}
 */
export function useNotifications(client) {
  const used = useClient(client);
  const state = useSyncExternalStore(used.subscribe, () => used.state, () => used.state);
  return useMemo(() => ({ ...state, client: used }), [state, used]);
}

/**
 * How the connection does. Renders again when that has changed, not with every notification.
 * @param {Client} [client] may be left out under a provider
 * @returns {Status & {reconnect: () => void}}
 */
export function useConnection(client) {
  const used = useClient(client);
  const connection = useField(used, "connection");
  const retryAt = useField(used, "retryAt");
  const problem = useField(used, "problem");
  const reconnect = useCallback(() => used.reconnect(), [used]);
  return useMemo(() => ({ connection, retryAt, problem, reconnect }), [connection, retryAt, problem, reconnect]);
}

/**
 * The user's subscription to a topic, true over all tabs and devices, and the last signals of the topic.
 * @overload
 * @param {string} topic
 * @returns {TopicState & Pick<Topic, "join" | "leave" | "mute">}
 */
/**
 * @overload
 * @param {Client} client
 * @param {string} topic
 * @returns {TopicState & Pick<Topic, "join" | "leave" | "mute">}
 */
/**
 * @param {Client | string} first
 * @param {string} [second]
 */
export function useTopic(first, second) {
  const used = useClient(typeof first === "string" ? undefined : first);
  const topic = topicOf(used, typeof first === "string" ? first : String(second));
  const state = useSyncExternalStore(topic.subscribe, topic.get, topic.get);
  return useMemo(() => ({ ...state, join: topic.join, leave: topic.leave, mute: topic.mute }), [state, topic]);
}

/** @param {Client} [given] */
function useClient(given) {
  const provided = useContext(Provided);
  const client = given ?? provided;
  if (!client) throw new Error("There is no client: give one to the hook, or put a <TidingsProvider> around it");
  return client;
}

/**
 * @template {keyof State} Name
 * @param {Client} client
 * @param {Name} name
 * @returns {State[Name]}
 */
function useField(client, name) {
  const get = () => client.state[name];
  return useSyncExternalStore(client.subscribe, get, get);
}
