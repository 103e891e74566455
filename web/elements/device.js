// The choices for this browser alone: kept in it, known to all of its tabs, never sent to the server.

import { listen } from "./element.js";

/** @typedef {"sound" | "desktop"} Wish */

const changes = new EventTarget();

/** The choice; null: none yet. @param {Wish} wish @returns {"on" | "off" | null} */
export function wished(wish) {
  try {
    return /** @type {"on" | "off" | null} */ (localStorage.getItem(keyOf(wish)));
  } catch {
    return null;
  }
}

/** @param {Wish} wish @param {"on" | "off"} word */
export function setWish(wish, word) {
  try {
    localStorage.setItem(keyOf(wish), word);
  } catch {
    // Without storage nothing is remembered.
  }
  changes.dispatchEvent(new Event("change"));
}

/** Calls back when something was said here or in another tab; answers how to stop that. @param {() => void} listener */
export function onWish(listener) {
  const stops = [listen(changes, "change", listener), listen(globalThis, "storage", listener)];
  return () => stops.forEach((stop) => stop());
}

/** @param {Wish} wish */
const keyOf = (wish) => `tidings.${wish}`;
