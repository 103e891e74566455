// The network of this page, which can be cut. The publisher has a network of its own: it plays a backend on another machine.

/** Calls the server, even if this page's network is cut. */
export const backend = globalThis.fetch.bind(globalThis);

let isCut = false;

globalThis.fetch = (...request) => (isCut ? Promise.reject(new TypeError("This page is offline")) : backend(...request));

/** Cuts the network of this page or restores it, with the event of a browser. @param {boolean} cut */
export function cutNetwork(cut) {
  if (cut === isCut) return;
  isCut = cut;
  dispatchEvent(new Event(cut ? "offline" : "online"));
}
