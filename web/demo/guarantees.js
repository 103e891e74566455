// The counters: the publishes of this page, and their outcome.

import { Ledger } from "./ledger.js";
import { $ } from "./page.js";

export class Guarantees {
  #ledger = new Ledger();
  #client;

  /** @param {import("../client/index.js").Client} client */
  constructor(client) {
    this.#client = client;
    client.on("notification", ({ item }) => this.#change((ledger) => ledger.arrive(item, client.state.cursor)));
    client.on("state", ({ ids }) => this.#change((ledger) => ledger.mention(ids)));
    // Items that cannot be replayed are in the list.
    client.on("reset", () => this.#change((ledger) => client.state.items.forEach((item) => ledger.include(item))));
    client.on("connection", () => this.#show());
    this.#show();
  }

  /** @param {string | null} thread */
  send(thread) {
    return this.#ledger.send(thread);
  }

  /**
   * The publish was stored.
   * @param {import("./ledger.js").Publication} publication
   * @param {{id: string, deliverAt?: string}} answer
   */
  acknowledge(publication, { id, deliverAt }) {
    this.#change((ledger) => ledger.acknowledge(publication, id, deliverAt !== undefined));
  }

  /** Nothing was stored. @param {import("./ledger.js").Publication} publication */
  withdraw(publication) {
    this.#change((ledger) => ledger.withdraw(publication));
  }

  /** @param {(ledger: Ledger) => void} change */
  #change(change) {
    change(this.#ledger);
    this.#show();
  }

  #show() {
    const { published, arrived, missed, twice, waiting } = this.#ledger;
    // While there is no connection nothing can be missed, only late.
    const lost = this.#client.state.connection === "live" ? missed : 0;
    for (const [name, count] of Object.entries({ published, arrived, missed: lost, twice })) {
      $(`count-${name}`).textContent = String(count);
      $(`count-${name}`).classList.toggle("bad", count > 0 && (name === "missed" || name === "twice"));
    }
    $("counts-say").textContent = say(published - arrived - waiting - lost, waiting, published);
  }
}

/** @param {number} onTheWay @param {number} waiting @param {number} published */
function say(onTheWay, waiting, published) {
  if (published === 0) return "Publish something, break something, and watch these.";
  const parts = [];
  if (onTheWay > 0) parts.push(`${onTheWay} on the way: they arrive with the next connection.`);
  if (waiting > 0) parts.push(`${waiting} ${waiting === 1 ? "waits for its" : "wait for their"} time.`);
  return parts.join(" ") || "Everything that was acknowledged has arrived, once.";
}
