// The settings as the server has them, and over them the pending changes.

import { foresee } from "./foresee.js";

const PATH = "/api/notifications/settings";

/** @typedef {{on: boolean, cause: string}} Standing */
/** @typedef {Record<string, Standing>} Standings by channel */
/** @typedef {{from: string, to: string, timeZone: string, days?: string[]}} QuietHours */

/**
 * The answer of the server.
 * @typedef {object} Document
 * @property {Record<string, Record<string, boolean>>} [categories]
 * @property {Record<string, Record<string, boolean>>} [kinds]
 * @property {QuietHours} [quietHours]
 * @property {string} [muteUntil]
 * @property {{categories: Record<string, Standings>, kinds: Record<string, {category: string | null, mandatory: boolean, channels: Standings}>}} inForce
 */

/**
 * @typedef {object} Telling
 * @property {() => void} changed
 * @property {() => void} saving
 * @property {() => void} saved
 * @property {(problem: import("../../client/index.js").Problem) => void} failed a change was refused and taken back
 */

export class Draft {
  #client;
  #telling;
  /** @type {Document | null} */
  #stored = null;
  /** @type {any[]} merge patches, in their order */
  #pending = [];
  #turn = Promise.resolve();
  #awaitsLoad = false;

  /** @type {import("../../client/index.js").Problem | null} why there is nothing to show */
  problem = null;

  /** @param {import("../../client/index.js").Client} client @param {Telling} telling */
  constructor(client, telling) {
    this.#client = client;
    this.#telling = telling;
  }

  /** The document to show; null until it is loaded. @returns {Document | null} */
  get shown() {
    return this.#stored && this.#pending.reduce(foresee, this.#stored);
  }

  /** Fetches the settings, after the pending changes; concurrent calls share one request. */
  load() {
    if (this.#awaitsLoad) return;
    this.#awaitsLoad = true;
    this.#inTurn(async () => {
      this.#awaitsLoad = false;
      try {
        this.#stored = await this.#client.call("GET", PATH);
        this.problem = null;
      } catch (problem) {
        this.problem = /** @type {any} */ (problem);
      }
    });
  }

  /** Shows a change at once and saves it; takes it back when that is refused. @param {any} patch a merge patch */
  change(patch) {
    this.#pending.push(patch);
    this.#telling.changed();
    this.#telling.saving();
    this.#inTurn(async () => {
      try {
        this.#stored = await this.#client.call("PATCH", PATH, { body: patch });
        if (this.#pending.length === 1) this.#telling.saved();
      } catch (problem) {
        this.#telling.failed(/** @type {any} */ (problem));
      }
      this.#pending.shift();
    });
  }

  /** One after the other: an answer is never older than the shown settings. @param {() => Promise<void>} work */
  #inTurn(work) {
    this.#turn = this.#turn.then(work).then(() => this.#telling.changed());
  }
}
