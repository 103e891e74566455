// The common base of the elements that show a client: the property `client`, and the end of everything that was begun.

import { languageOf } from "./texts.js";

/** @typedef {import("../client/index.js").Client} Client */

/** Without elements, on a server that renders pages, it only has to be harmless. */
const Base = /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? class {});

export class ClientElement extends Base {
  static observedAttributes = ["lang"];

  /** @type {Client | null} */
  #client = null;
  /** @type {(() => void)[] | null} */
  #undo = null;
  /** @type {MutationObserver | null} while it is in a page */
  #languages = null;
  #spoken = "";

  get client() {
    return this.#client;
  }

  /** The client that the element shows; it may be set at any time, even before the element is defined. */
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
    // A value that was set before the element was defined hides the accessor.
    if (Object.hasOwn(this, "client")) {
      const { client } = this;
      Reflect.deleteProperty(this, "client");
      this.client = client;
    }
    this.#spoken = this.language;
    this.#languages = new MutationObserver(() => this.language !== this.#spoken && this.renew());
    // The language of the page, and of all ancestors of the element, which may change.
    this.#languages.observe(document, { subtree: true, attributeFilter: ["lang"] });
    this.#begin();
  }

  disconnectedCallback() {
    this.#languages?.disconnect();
    this.#languages = null;
    this.#end();
  }

  attributeChangedCallback() {
    if (this.#languages) this.renew();
  }

  /** The language has changed: everything is shown again. */
  renew() {
    this.#spoken = this.language;
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

/** Defines an element, unless that was done, or cannot be. @param {string} name @param {typeof ClientElement} element */
export function define(name, element) {
  const registry = globalThis.customElements;
  if (registry && !registry.get(name)) registry.define(name, element);
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
