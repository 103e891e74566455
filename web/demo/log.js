// The event log: every event of the stream as it came, its meaning, and the state of the connection.

import { h } from "../elements/dom.js";
import { explain, seconds, wire } from "./frames.js";

const KEPT = 200;

/** @type {Record<import("../client/types.js").Connection, string>} */
const CONNECTIONS = {
  connecting: "Connecting with the cursor that was reached",
  catchingUp: "Catching up with what was missed",
  live: "Live",
  offline: "No connection",
  expired: "The token is refused: no try will help until there is another",
};

export class Log {
  #rows;

  /** @param {HTMLElement} rows */
  constructor(rows) {
    this.#rows = rows;
  }

  /** @param {import("../client/types.js").Frame} frame @param {import("./frames.js").Stage} stage */
  frame(frame, stage) {
    this.#add(frame.name || "cursor", explain(frame, stage), frame.id, wire(frame));
  }

  /** @param {import("../client/types.js").Status} status @param {boolean} isNew whether nothing was reached yet */
  connection({ connection, retryAt, problem }, isNew) {
    const why = problem ? ` (${[problem.title, problem.detail].filter(Boolean).join(": ")})` : "";
    const again = retryAt ? `; again in ${seconds(Math.max(0, retryAt - Date.now()))}` : "";
    const what = isNew && connection === "connecting" ? "Connecting" : CONNECTIONS[connection];
    this.#add("client", `${what}${why}${again}.`, null, null);
  }

  clear() {
    this.#rows.replaceChildren();
  }

  /** @param {string} name @param {string} meaning @param {string | null} cursor @param {string | null} raw */
  #add(name, meaning, cursor, raw) {
    const line = [
      h("time", {}, new Date().toLocaleTimeString([], { hour12: false })),
      h("b", {}, name),
      h("span", { class: "meaning", dir: "auto" }, meaning),
      cursor && h("code", {}, cursor),
    ];
    const row = h("li", { class: "frame", "data-event": name });
    if (raw === null) row.append(h("div", { class: "line" }, ...line));
    else row.append(h("details", {}, h("summary", { class: "line" }, ...line), h("pre", {}, raw)));
    this.#rows.prepend(row);
    if (this.#rows.children.length > KEPT) this.#rows.lastElementChild?.remove();
  }
}
