// A backend on the page: it sends the text of the editor, and shows the answer.

import { h } from "../elements/dom.js";
import { EXAMPLES } from "./examples.js";
import { backend } from "./network.js";
import { $, BASE } from "./page.js";
import { identity, token } from "./session.js";

const ADDRESS = `${BASE}/api/notifications`;
const WHAT_TO_DO = "Give the body another idempotencyKey, take it out, or choose an example.";

export class Publisher {
  /** @type {import("./guarantees.js").Guarantees | null} */
  #guarantees = null;
  /** @type {{now: () => number}} */
  #clock = Date;
  #example = EXAMPLES[0];
  /** The editor's text as the example made it. */
  #made = "";
  #isBusy = false;
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

  /**
   * Publishes as the user of this tab.
   * @param {import("./guarantees.js").Guarantees} guarantees gets each publish @param {{now: () => number}} clock the server's
   */
  follow(guarantees, clock) {
    this.#guarantees = guarantees;
    this.#clock = clock;
    const { user, publishes } = identity();
    $("no-scope").hidden = publishes;
    $("no-scope-command").textContent = `tidings token --sub ${user} --scope publish`;
    for (const button of buttons()) button.disabled = !publishes;
    // A hidden text too describes the element that names it.
    $("publish").setAttribute("aria-describedby", publishes ? "" : "no-scope");
    this.#choose(this.#example);
    this.#say("");
  }

  /** Publishes the first example so many times, not the text of the editor. @param {number} times */
  publishFirst(times) {
    this.#choose(EXAMPLES[0]);
    return this.publish(times);
  }

  /** Publishes the first example, then the same again, as backends do that never saw the answer. */
  async repeatFirst() {
    if (this.#isBusy) return;
    this.#choose(EXAMPLES[0]);
    const body = parse(this.#editor.value);
    await this.#work(async () => {
      await this.#post(body);
      const { answer } = await this.#post(body);
      this.#say(`Sent twice, stored once: the second time the key was known, and the answer is the first one's. ${JSON.stringify(answer)}`);
    });
    // The key is used up.
    this.#make();
  }

  /** Sends the text of the editor, or the chosen example so many times. @param {number} times */
  publish(times) {
    return this.#work(() => this.#send(times));
  }

  get isBusy() {
    return this.#isBusy;
  }

  /** One work at a time. Its button keeps the focus, which a disabled one would lose. @param {() => Promise<void>} work */
  async #work(work) {
    if (this.#isBusy) return;
    this.#show(true);
    await work().catch((error) => this.#say(error.message, "bad"));
    this.#show(false);
  }

  /** @param {boolean} isBusy */
  #show(isBusy) {
    this.#isBusy = isBusy;
    for (const button of buttons()) button.setAttribute("aria-disabled", String(isBusy));
  }

  /** @param {number} times */
  async #send(times) {
    let [stored, last] = [0, /** @type {any} */ (null)];
    for (let sent = 0; sent < times; sent++) {
      if (this.#editor.value === this.#made) this.#make();
      last = await this.#post(parse(this.#editor.value));
      stored += Number(last.isNew);
    }
    const answer = JSON.stringify(last.answer);
    if (stored === times) this.#say(`Stored${times > 1 ? ` ${times}` : ""} and acknowledged. ${answer}`);
    else this.#say(`${known(stored, times)} ${WHAT_TO_DO} ${answer}`, "warn");
  }

  /** @param {any} body */
  async #post(body) {
    const isMine = Array.isArray(body.users) && body.users.includes(identity().user);
    const publication = isMine ? this.#guarantees?.send(body.threadKey ?? null) : undefined;
    try {
      const { answer, isNew } = await post(JSON.stringify(body));
      if (publication && isNew) this.#guarantees?.acknowledge(publication, answer);
      else if (publication) this.#guarantees?.withdraw(publication);
      return { answer, isNew };
    } catch (error) {
      if (publication) this.#guarantees?.withdraw(publication);
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
    this.#made = this.#editor.value = text(this.#example.body(identity().user, this.#clock.now()));
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

  /** @param {string} text @param {"good" | "warn" | "bad"} [tone] */
  #say(text, tone = "good") {
    $("result").textContent = text;
    $("result").dataset.result = tone;
  }
}

/** All that publish. */
const buttons = () => ["publish", "miss", "repeat"].map((id) => /** @type {HTMLButtonElement} */ ($(id)));

/** @param {number} stored @param {number} times */
function known(stored, times) {
  if (stored === 0) return "Nothing was stored: the idempotency key is known from an earlier publish, and this is its answer.";
  return `Stored ${stored} of ${times}: the others had an idempotency key that was known by then.`;
}

/** Short lists stay on their line. @param {any} body */
const text = (body) => JSON.stringify(body, null, 2).replace(/\[\s+([^[\]{},]+?)\s+\]/g, "[$1]");

/** @param {string} text */
function parse(text) {
  const body = json(text);
  if (Object(body) === body && !Array.isArray(body)) return body;
  const kind = Array.isArray(body) ? "an array" : body === null ? "null" : `a ${typeof body}`;
  throw new Error(`A notification is an object, {"users": [...], "title": ...}; this is ${kind}.`);
}

/** @param {string} text */
function json(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`This is not JSON: ${/** @type {Error} */ (error).message}`);
  }
}

/** The answer, and whether it is that of this publish and not of an earlier one with its key. @param {string} body */
async function post(body) {
  const headers = { Authorization: `Bearer ${token()}`, "Content-Type": "application/json" };
  const answer = await backend(ADDRESS, { method: "POST", headers, body, credentials: "omit" });
  const told = await answer.json();
  if (answer.ok) return { answer: told, isNew: !answer.headers.has("Idempotent-Replayed") };
  const places = (told.errors ?? []).map((/** @type {any} */ { pointer, detail }) => `${pointer}: ${detail}`);
  throw new Error([answer.status, told.title, ...(places.length ? places : [told.detail])].join(" · "));
}

/** @param {string} body @param {string} bearer */
function curl(body, bearer) {
  const quoted = body.replaceAll("'", String.raw`'\''`);
  return [
    `curl ${ADDRESS}`,
    `  -H "authorization: Bearer ${bearer}"`,
    `  -H "content-type: application/json"`,
    `  -d '${quoted}'`,
  ].join(" \\\n");
}
