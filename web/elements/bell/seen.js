// Reports to the server which items the user saw: all of a moment by one call.

/** @typedef {import("./row.js").Row} Row */

export class Seen {
  /** @type {IntersectionObserver} */
  #observer;
  /** @type {Map<Element, Row>} */
  #rows = new Map();
  /** @type {Set<Row>} */
  #visible = new Set();
  /** @type {Set<string>} items that were reported, or whose report failed and is tried again when the list is opened the next time */
  #told = new Set();

  /** @param {Element} root */
  constructor(root) {
    this.#observer = new IntersectionObserver((entries) => entries.forEach((entry) => this.#note(entry)), { root, threshold: 0.6 });
  }

  /** @param {Row} row */
  add(row) {
    this.#rows.set(row.element, row);
    this.#observer.observe(row.element);
  }

  /** @param {Row} row */
  remove(row) {
    this.#observer.unobserve(row.element);
    this.#rows.delete(row.element);
    this.#visible.delete(row);
  }

  /** @param {import("../../client/index.js").Client} client */
  async tell(client) {
    const ids = [...this.#visible].map(({ item }) => item).filter((item) => !item.seenAt && !this.#told.has(item.id)).map(({ id }) => id);
    if (ids.length === 0 || client.state.connection !== "live") return;
    for (const id of ids) this.#told.add(id);
    await client.call("POST", "/api/notifications/bulk", { body: { filter: { ids }, action: "seen" } }).then(
      () => ids.forEach((id) => this.#told.delete(id)),
      () => {},
    );
  }

  /** Failed reports may be tried again. */
  forget() {
    this.#told.clear();
  }

  close() {
    this.#observer.disconnect();
  }

  /** @param {IntersectionObserverEntry} entry */
  #note({ target, isIntersecting }) {
    const row = this.#rows.get(target);
    if (row && isIntersecting) this.#visible.add(row);
    else if (row) this.#visible.delete(row);
  }
}
