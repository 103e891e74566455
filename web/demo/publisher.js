// A backend on the page: it sends what stands in the editor, and shows what was answered.

import { h } from "../elements/dom.js";
import { EXAMPLES } from "./examples.js";
import { backend } from "./network.js";
import { $ } from "./page.js";
import { identity, token } from "./session.js";

const PATH = "/api/notifications";

export class Publisher {
  /** @type {import("./guarantees.js").Guarantees | null} */
  #guarantees = null;
  #example = EXAMPLES[0];
  /** The editor's text as the example made it. */
  #made = "";
  /** @type {HTMLTextAreaElement} */
  #editor = $("body");
  #buttons = EXAMPLES.map((example) =>
    h("button", { type: "button", on: { click: () => this.#choose(example) } }, example.name));

  constructor() {
    $("examples").replaceChildren(...this.#buttons);
    this.#editor.addEventListener("input", () => this.#showCurl());
    $("publish-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.publish(Number(/** @type {HTMLSelectElement} */ ($("times")).value));
    });
    $("copy").hidden = !navigator.clipboard;
    $("copy").addEventListener("click", () => this.#copy());
  }

  /** Publishes as the user of this tab. @param {import("./guarantees.js").Guarantees} guarantees what is told of each publish */
  follow(guarantees) {
    this.#guarantees = guarantees;
    const { user, publishes } = identity();
    $("no-scope").hidden = publishes;
    $("no-scope-command").textContent = `tidings token --sub ${user} --scope publish`;
    /** @type {HTMLButtonElement} */ ($("publish")).disabled = !publishes;
    this.#choose(this.#example);
    this.#say("");
  }

  /** Publishes the first example so many times, whatever is in the editor. @param {number} times */
  publishFirst(times) {
    this.#choose(EXAMPLES[0]);
    return this.publish(times);
  }

  /** Publishes the first example, then the same again, as backends do that never saw the answer. */
  repeatFirst() {
    this.#choose(EXAMPLES[0]);
    this.#made = "";
    return this.publish(2);
  }

  /** Sends what the editor holds, or the chosen example so many times anew. @param {number} times */
  async publish(times) {
    const button = /** @type {HTMLButtonElement} */ ($("publish"));
    button.disabled = true;
    try {
      await this.#send(times);
    } catch (error) {
      this.#say(/** @type {Error} */ (error).message, true);
    }
    button.disabled = false;
  }

  /** @param {number} times */
  async #send(times) {
    let [stored, last] = [0, /** @type {any} */ (null)];
    for (let sent = 0; sent < times; sent++) {
      if (this.#editor.value === this.#made) this.#make();
      const body = parse(this.#editor.value);
      last = await this.#post(body);
      stored += Number(last.isNew);
    }
    const what = stored === times ? `Stored${times > 1 ? ` ${times}` : ""} and acknowledged.` : `Stored ${stored} of ${times}: the key was known.`;
    this.#say(`${what} ${JSON.stringify(last.answer)}`);
  }

  /** @param {any} body */
  async #post(body) {
    const isMine = Array.isArray(body.users) && body.users.includes(identity().user);
    const publication = isMine ? this.#guarantees?.send(body.threadKey ?? null) : undefined;
    try {
      const answer = await post(JSON.stringify(body));
      const isNew = publication ? this.#guarantees?.acknowledge(publication, answer) : true;
      return { answer, isNew };
    } catch (error) {
      if (publication) this.#guarantees?.refuse(publication);
      throw error;
    }
  }

  /** @param {import("./examples.js").Example} example */
  #choose(example) {
    this.#example = example;
    this.#buttons.forEach((button, at) => button.setAttribute("aria-pressed", String(EXAMPLES[at] === example)));
    $("shows").textContent = example.shows;
    this.#make();
  }

  #make() {
    this.#made = this.#editor.value = text(this.#example.body(identity().user));
    this.#showCurl();
  }

  #showCurl() {
    $("curl").textContent = curl(this.#editor.value, "$TOKEN");
  }

  async #copy() {
    await navigator.clipboard.writeText(curl(this.#editor.value, token()));
    $("copy").textContent = "Copied";
    setTimeout(() => ($("copy").textContent = "Copy with token"), 2000);
  }

  /** @param {string} text @param {boolean} [isBad] */
  #say(text, isBad = false) {
    $("result").textContent = text;
    $("result").classList.toggle("bad", isBad);
  }
}

/** Short lists stay on their line. @param {any} body */
const text = (body) => JSON.stringify(body, null, 2).replace(/\[\s+([^[\]{},]+?)\s+\]/g, "[$1]");

/** @param {string} text */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`This is not JSON: ${/** @type {Error} */ (error).message}`);
  }
}

/** @param {string} body */
async function post(body) {
  const headers = { Authorization: `Bearer ${token()}`, "Content-Type": "application/json" };
  const answer = await backend(PATH, { method: "POST", headers, body, credentials: "omit" });
  const told = await answer.json();
  if (answer.ok) return told;
  const places = (told.errors ?? []).map((/** @type {any} */ { pointer, detail }) => `${pointer}: ${detail}`);
  throw new Error([answer.status, told.title, ...(places.length ? places : [told.detail])].join(" · "));
}

/** @param {string} body @param {string} bearer */
function curl(body, bearer) {
  const quoted = body.replaceAll("'", String.raw`'\''`);
  return [
    `curl ${location.origin}${PATH}`,
    `  -H "authorization: Bearer ${bearer}"`,
    `  -H "content-type: application/json"`,
    `  -d '${quoted}'`,
  ].join(" \\\n");
}
