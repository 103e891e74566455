// Messages between the tabs of one user about their toasts.

import { epochOf } from "../../client/cursor.js";

/** @typedef {import("../../client/index.js").Client} Client */

export class Tabs {
  #channel = new BroadcastChannel("tidings.toasts");
  #client;

  /**
   * @param {Client} client
   * @param {(ids: string[], isLapsed: boolean) => void} hear toasts were closed in another tab; `isLapsed`: their time was over
   */
  constructor(client, hear) {
    this.#client = client;
    this.#channel.onmessage = ({ data }) => data.epoch === this.#epoch && hear(data.ids, data.isLapsed);
  }

  /** @param {string[]} ids @param {boolean} isLapsed */
  tell(ids, isLapsed) {
    this.#channel.postMessage({ epoch: this.#epoch, ids, isLapsed });
  }

  end() {
    this.#channel.close();
  }

  /** An epoch is one user's. */
  get #epoch() {
    return epochOf(this.#client.state.cursor);
  }
}
