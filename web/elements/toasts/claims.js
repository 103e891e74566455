// Work that one tab does for all of an origin, by Web Locks. A page of an insecure origin has none: there every tab is on its own.

import { listen } from "../element.js";

const SEEN = "tidings.seen";
// A tab that receives an event late finds it done within this time.
const CLAIM_MS = 600000;

/**
 * Whether this tab is the one to do something: the first to ask.
 * @param {string} name
 * @param {number} [ms] for how long no other tab is
 * @returns {Promise<boolean>}
 */
export function claim(name, ms = CLAIM_MS) {
  if (!navigator.locks) return Promise.resolve(true);
  return new Promise((resolve) => {
    navigator.locks.request(name, { ifAvailable: true }, (lock) => {
      resolve(lock !== null);
      return lock && held(ms);
    });
  });
}

/** Lets the other tabs know while this page is seen; answers how to stop that. */
export function beSeen() {
  let release = () => {};
  const look = () => {
    release();
    if (document.visibilityState === "hidden" || !navigator.locks) return;
    const hidden = new Promise((resolve) => (release = () => resolve(null)));
    navigator.locks.request(SEEN, { mode: "shared" }, () => hidden);
  };
  const stop = listen(document, "visibilitychange", look);
  look();
  return () => {
    stop();
    release();
  };
}

/** Whether any page of the origin is seen. */
export async function isAnySeen() {
  if (document.visibilityState !== "hidden") return true;
  const locks = await navigator.locks?.query();
  return locks?.held?.some(({ name }) => name === SEEN) ?? false;
}

/** A page that is left must hold no lock, or it cannot be brought back. @param {number} ms */
function held(ms) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    addEventListener("pagehide", () => resolve(clearTimeout(timer)), { once: true });
  });
}
