// What the elements that show a client have in common: the property `client`, and an end to all that was begun.

import { languageOf } from "./texts.js";

/** @typedef {import("../client/index.js").Client} Client */

export class ClientElement extends HTMLElement {
  static observedAttributes = ["lang"];

  /** @type {Client | null} */
  #client = null;
  /** @type {(() => void)[] | null} */
  #undo = null;

  get client() {
    return this.#client;
  }

  /** What the element shows; it may be given at any time, before the element is defined too. */
  set client(client) {
    if (client === this.#client) return;
    this.#end();
    this.#client = client;
    this.#begin();
  }

  get language() {
    return languageOf(this);
  }

  connectedCallback() {
    // What was set before the element was defined hides the accessor.
    if (Object.hasOwn(this, "client")) {
      const { client } = this;
      Reflect.deleteProperty(this, "client");
      this.client = client;
    }
    this.#begin();
  }

  disconnectedCallback() {
    this.#end();
  }

  /** The words have become others: everything is shown anew. */
  attributeChangedCallback() {
    this.#end();
    this.#begin();
  }

  /**
   * Begins to show a client; answers how to undo each thing that was begun.
   * @param {Client} _client
   * @returns {(() => void)[]}
   */
  follow(_client) {
    return [];
  }

  #begin() {
    if (this.isConnected && this.#client && !this.#undo) this.#undo = this.follow(this.#client);
  }

  #end() {
    const undo = this.#undo ?? [];
    this.#undo = null;
    undo.forEach((each) => each());
  }
}

/**
 * Listens on a target; answers how to stop that.
 * @param {EventTarget} target
 * @param {string} name
 * @param {(event: any) => void} listener
 * @param {AddEventListenerOptions} [options]
 */
export function listen(target, name, listener, options) {
  target.addEventListener(name, listener, options);
  return () => target.removeEventListener(name, listener, options);
}
