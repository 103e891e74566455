// The network of this page, which can be cut. The publisher has a network of its own: it stands for a backend elsewhere.

/** Calls the server whatever became of this page's network. */
export const backend = globalThis.fetch.bind(globalThis);

let isCut = false;

globalThis.fetch = (...request) => (isCut ? Promise.reject(new TypeError("This page is offline")) : backend(...request));

/** Cuts this page off or lets it back, and tells it as a browser does. @param {boolean} cut */
export function cutNetwork(cut) {
  if (cut === isCut) return;
  isCut = cut;
  dispatchEvent(new Event(cut ? "offline" : "online"));
}
