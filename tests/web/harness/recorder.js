// Runs in the pages: begins a client and writes down its events.

/**
 * The record outlives a reload, as it does for the user who saw it.
 * @param {{options: import("../../../web/client/types.js").Options, proof: "getToken" | "ticket" | "own"}} plan
 */
export function record({ options, proof }) {
  /** @type {any} */
  const page = globalThis;
  page.told = JSON.parse(sessionStorage.getItem("told") ?? "[]");
  /** @type {[string, any][]} */
  page.events = [];
  const asks = proof === "own" ? {} : { [proof]: () => page.handOut() };
  page.begun = import(new URL("assets/client/index.js", location.href).href).then(({ connect }) => {
    const client = (page.client = connect({ ...asks, ...options }));
    client.on("notification", (/** @type {any} */ { item, missed }) => {
      page.told.push({ id: item.id, title: item.title, missed });
      sessionStorage.setItem("told", JSON.stringify(page.told));
    });
    for (const name of ["state", "signal", "connection", "caughtUp", "reset", "frame", "expiring", "problem"]) {
      client.on(name, (/** @type {any} */ event) => page.events.push([name, event]));
    }
  });
}
