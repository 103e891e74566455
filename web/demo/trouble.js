// Buttons that break things, as networks, proxies and time do. A fault of one tab of a user is a fault of all.

import { cutNetwork } from "./network.js";
import { $, BASE } from "./page.js";
import { token } from "./session.js";

/**
 * @typedef {object} Message a message between tabs of a user
 * @property {boolean} [asks] which troubles there are, and how the connection began
 * @property {{offline: boolean, expired: boolean}} [troubles]
 * @property {"drop" | "reconnect"} [act] the action of the tab that holds the connection
 * @property {import("../client/types.js").Frame} [frame] the tab that holds the connection receives it for all
 */

/** The token with another signature, which the server refuses. */
const refused = () => token().replace(/\.(.)([^.]*)$/, (_, first, rest) => `.${first === "A" ? "B" : "A"}${rest}`);

export class Trouble {
  #client;
  #channel;
  #closing = new AbortController();
  #troubles = { offline: false, expired: false };
  /** @type {import("../client/types.js").Frame | undefined} how the connection began, in the tab that holds it */
  #hello;

  /**
   * @param {import("../client/index.js").Client} client
   * @param {string} user tabs of the same user share their troubles
   * @param {(frame: import("../client/types.js").Frame) => void} hear takes a frame that another tab received
   */
  constructor(client, user, hear) {
    this.#client = client;
    this.#channel = new BroadcastChannel(`desk of ${user}`);
    this.#channel.onmessage = ({ data: { asks, troubles, act, frame } }) => {
      if (asks) this.#tell({ troubles: this.#troubles, frame: this.#hello });
      if (troubles) this.#suffer(troubles);
      if (act) this.#client[/** @type {"drop"} */ (act)]();
      if (!frame) return;
      this.#hello = undefined;
      hear(frame);
    };
    client.on("frame", (frame) => {
      if (frame.name === "hello") this.#hello = frame;
      this.#tell({ frame });
    });
    client.on("connection", () => this.#show());
    this.#press("drop", () => this.#act(this.#isPausing ? "reconnect" : "drop"));
    this.#press("offline", () => this.spread({ offline: !this.#troubles.offline }));
    this.#press("expire", () => this.spread({ expired: true }));
    this.#press("sign-in", () => this.spread({ expired: false }));
    this.#press("second-tab", () => open(`${BASE}/`, "_blank"));
    this.#show();
    this.#tell({ asks: true });
  }

  get expired() {
    return this.#troubles.expired;
  }

  /** @param {{offline?: boolean, expired?: boolean}} changed */
  spread(changed) {
    const troubles = { ...this.#troubles, ...changed };
    this.#tell({ troubles });
    return this.#suffer(troubles);
  }

  close() {
    this.#closing.abort();
    this.#channel.close();
    cutNetwork(false);
  }

  /** @param {{offline: boolean, expired: boolean}} troubles */
  async #suffer(troubles) {
    const before = this.#troubles;
    this.#troubles = troubles;
    this.#show();
    cutNetwork(troubles.offline);
    if (troubles.expired === before.expired) return;
    // The open stream is refused the token as well; then it breaks, and each reconnect has to show it again.
    await this.#client.setToken(troubles.expired ? refused() : token()).catch(() => {});
    if (troubles.expired) this.#connectAnew();
  }

  /** A pause between the two would only hide the next step. */
  #connectAnew() {
    if (this.#isPausing) return this.#client.reconnect();
    const stop = this.#client.on("connection", () => {
      stop();
      setTimeout(() => this.#client.reconnect());
    });
    this.#client.drop();
  }

  /** @param {"drop" | "reconnect"} act */
  #act(act) {
    this.#client[act]();
    this.#tell({ act });
  }

  get #isPausing() {
    return this.#client.state.connection === "offline";
  }

  #show() {
    const { offline, expired } = this.#troubles;
    const waits = this.#isPausing && !offline;
    $("drop-text").textContent = waits ? "Connect now" : "Drop the connection";
    $("drop-hint").textContent = waits ? "instead of waiting" : "as proxies do; it comes back";
    $("offline-text").textContent = offline ? "Go online" : "Go offline";
    $("offline").setAttribute("aria-pressed", String(offline));
    $("expire").hidden = expired;
    $("sign-in").hidden = !expired;
  }

  /** @param {Message} message */
  #tell(message) {
    this.#channel.postMessage(message);
  }

  /** @param {string} id @param {() => void} action */
  #press(id, action) {
    $(id).addEventListener("click", action, { signal: this.#closing.signal });
  }
}
