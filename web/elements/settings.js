// <tidings-settings>: the preferences of the user: what, where and when. Every change is saved at once.

import { onWish } from "./device.js";
import { adopt, h, sheet } from "./dom.js";
import { ClientElement, define } from "./element.js";
import { theme } from "./theme.js";
import { Browser } from "./settings/browser.js";
import { Draft } from "./settings/draft.js";
import { Grid } from "./settings/grid.js";
import { Pause } from "./settings/pause.js";
import { Quiet } from "./settings/quiet.js";
import { css } from "./settings/style.js";
import { Topics } from "./settings/topics.js";
import { wordsOf } from "./settings/words.js";

/**
 * @typedef {ReturnType<typeof wordsOf>} Words
 * @typedef {import("../client/types.js").Problem} Problem
 * @typedef {import("./globals.js").OpenItemEvent} OpenItemEvent brings the element's name and events to TypeScript
 */

const style = sheet(css);

export class TidingsSettings extends ClientElement {
  #root = this.attachShadow({ mode: "open" });
  #page = h("div", { class: "page", part: "page" });
  #saved = h("p", { role: "status", class: "saved", part: "status" });
  #failed = h("p", { role: "alert", class: "error", part: "error" });

  constructor() {
    super();
    adopt(this.#root, theme, style);
    this.#root.append(this.#page, h("div", { class: "foot" }, this.#saved, this.#failed));
  }

  /** @param {import("../client/index.js").Client} client */
  follow(client) {
    const words = wordsOf(this.language, client);
    const telling = {
      changed: () => show(),
      saving: () => this.#say(words.saving, ""),
      // An earlier refusal stays visible.
      saved: () => this.#say(words.saved),
      failed: (/** @type {Problem} */ problem) => this.#say("", words.explain(problem)),
    };
    const draft = new Draft(client, telling);
    const change = (/** @type {any} */ patch) => draft.change(patch);
    const [pause, quiet, grid, browser] = [new Pause(words, change), new Quiet(words, change), new Grid(words, change), new Browser(words)];
    const topics = new Topics(client, words, telling);
    const load = () => {
      draft.load();
      topics.load().catch(() => {});
    };
    const sections = [pause, quiet, grid, topics, browser].map(({ element }) => element);
    const show = () => {
      const { shown, problem } = draft;
      if (!shown) return this.#page.replaceChildren(problem ? this.#broken(words, load) : waiting(words));
      if (!sections[0].isConnected) this.#page.replaceChildren(...sections);
      for (const section of [pause, quiet, grid]) section.update(shown);
    };
    show();
    load();
    return [
      client.on("settings", () => draft.load()),
      client.on("subscription", () => topics.load().catch(() => {})),
      client.on("reset", load),
      onWish(() => browser.update()),
      () => pause.end(),
      () => this.#page.replaceChildren(),
    ];
  }

  /** @param {string} saved @param {string} [failed] */
  #say(saved, failed) {
    this.#saved.textContent = saved;
    if (failed !== undefined) this.#failed.textContent = failed;
  }

  /** @param {Words} words @param {() => void} load */
  #broken(words, load) {
    const again = () => {
      this.#page.replaceChildren(waiting(words));
      load();
    };
    const button = h("button", { type: "button", class: "main", part: "button", on: { click: again } }, words.retry);
    return h("div", { class: "broken", role: "alert" }, h("p", {}, words.broken), button);
  }
}

/** @param {Words} words */
function waiting(words) {
  const lines = Array.from({ length: 6 }, () => h("span", { class: "line" }));
  return h("div", { class: "waiting", role: "status" }, h("span", { class: "said" }, words.loading), ...lines);
}

define("tidings-settings", TidingsSettings);
