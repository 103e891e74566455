// The dropdown: its head, the list or the settings, its foot. It shows a client's state, and asks the client for the chosen items.

import { h } from "../dom.js";
import { Actions, isNarrowed } from "./actions.js";
import { After, phaseOf } from "./after.js";
import { ConnectionLine } from "./connection.js";
import { Filters } from "./filters.js";
import { icon } from "../icons.js";
import { setAttribute } from "./keyed.js";
import { help } from "./keys.js";
import { List } from "./list.js";
import { SettingsView } from "./settings-view.js";
import { SnoozeMenu } from "./snooze.js";

/** Times of items show minutes: so often they are looked at. */
const LIST_TICK_MS = 10000;
/** How long a failure is shown. */
const NOTICE_MS = 10000;

/** @typedef {import("../../client/index.js").Client} Client */
/** @typedef {import("../../client/types.js").State} State */
/** @typedef {{hasFocus: boolean, inSettings: boolean, current: string | null, top: number}} Place where a user is in the dropdown */

export class Panel {
  #locale;
  #change;
  /** @type {Client | null} */
  #client = null;
  /** @type {"failed" | "moreFailed" | null} */
  #failure = null;
  #isLoadingMore = false;
  #wasLive = false;
  #knowsCategories = false;
  /** Whether it was opened at a place of before. */
  #isResumed = false;
  #ticked = 0;
  #noticed = 0;
  /** @type {number | undefined} */
  #noticing;

  /**
   * @param {import("../locale.js").Locale} locale
   * @param {import("./actions.js").Telling} telling
   * @param {() => void} change is called when there is something else to show
   */
  constructor(locale, telling, change) {
    this.#locale = locale;
    this.#change = change;
    this.snoozeMenu = new SnoozeMenu(locale);
    this.actions = new Actions(locale, this.snoozeMenu, telling);
    this.filters = new Filters(locale, (filter) => this.#load((client) => client.setFilter(filter)));
    this.scroller = h("div", { class: "scroller", id: "list", role: "tabpanel", tabIndex: -1 });
    this.list = new List(locale, this.scroller, (name, row, event) => this.actions.do(name, row, event));
    this.after = new After(locale, () => this.#retry());
    this.end = new IntersectionObserver(([{ isIntersecting }]) => isIntersecting && this.#loadMore(), { root: this.scroller, rootMargin: "400px" });
    this.connection = new ConnectionLine(locale, () => this.#client?.reconnect());
    this.settings = new SettingsView(locale, () => this.#closeSettings());
    this.notice = h("p", { class: "notice", part: "notice", role: "alert", hidden: true });
    const { words } = locale;
    this.readAll = tool(words.readAll, "check-all", () => this.#client?.state.unread && this.actions.readAll());
    this.gear = tool(words.settings, "gear", () => this.#openSettings());
    this.main = h("div", { class: "view" }, this.#head(), this.filters.tabs, this.filters.element, this.scroller, this.#foot());
    this.scroller.append(this.list.element, this.after.element);
    this.end.observe(this.after.element);
    const role = { role: "dialog", "aria-labelledby": "title", tabIndex: -1, on: { keydown: (/** @type {KeyboardEvent} */ event) => this.#key(event) } };
    const parts = [this.main, this.settings.element, this.notice, this.snoozeMenu.element];
    this.element = h("div", { class: "panel", part: "panel", id: "panel", popover: "auto", ...role }, ...parts);
  }

  #head() {
    const { words } = this.#locale;
    const close = tool(words.close, "close", () => this.element.hidePopover());
    close.classList.add("close");
    return h("div", { class: "head", part: "header" }, h("h2", { id: "title" }, words.title), this.readAll, this.gear, close);
  }

  #foot() {
    return h("div", { class: "foot", part: "footer" }, this.connection.element, help(this.#locale));
  }

  /** @param {Client | null} client */
  use(client) {
    this.#client = client;
    this.#failure = null;
    this.#knowsCategories = false;
    this.actions.client = client;
    this.filters.forget();
    this.settings.use(client);
  }

  /** @param {State} state @param {number} now */
  update(state, now) {
    const isLive = state.connection === "live";
    if (isLive && !this.#wasLive && this.#failure) this.#tryAgain();
    this.#wasLive = isLive;
    this.filters.update(state);
    this.list.update(state.items, now);
    this.after.update(phaseOf(state, this.#failure));
    this.connection.update(state);
    setAttribute(this.scroller, "aria-busy", String(state.loading));
    setAttribute(this.scroller, "aria-labelledby", this.filters.selected.id);
    const { words } = this.#locale;
    this.readAll.title = isNarrowed(state.filter) ? words.readThese : words.readAll;
    setAttribute(this.readAll, "aria-label", this.readAll.title);
    setAttribute(this.readAll, "aria-disabled", String(state.unread === 0));
    this.#holdFocus();
  }

  /** The element with the focus may have gone by itself, as the button to retry does once there is a connection. */
  #holdFocus() {
    const { activeElement } = /** @type {ShadowRoot} */ (this.element.getRootNode());
    if (this.element.contains(activeElement) && !activeElement?.checkVisibility()) this.element.focus();
  }

  /** @param {number} now */
  tick(now) {
    this.connection.tick();
    // This clock never jumps.
    const at = performance.now();
    if (at - this.#ticked >= LIST_TICK_MS) {
      this.list.tick(now);
      this.#ticked = at;
    }
    if (!this.#client) return;
    this.list.seen.tell(this.#client);
    if (this.#client.state.hasMore) this.#lookForEnd();
  }

  /** Takes the focus in, unless it continues another dropdown. */
  enter() {
    if (!this.#isResumed) {
      this.list.rewind();
      if (!this.list.focus()) this.element.focus();
    }
    this.#isResumed = false;
    this.#learnCategories();
  }

  /** Where the user is in it. @returns {Place} */
  get place() {
    const { activeElement } = /** @type {ShadowRoot} */ (this.element.getRootNode());
    const hasFocus = this.element.contains(activeElement);
    return { hasFocus, inSettings: Boolean(this.main.hidden), current: this.list.current, top: this.scroller.scrollTop };
  }

  /** Continues where another dropdown was, which had other words. @param {Place} place */
  resume({ hasFocus, inSettings, current, top }) {
    this.#isResumed = true;
    this.list.current = current;
    this.scroller.scrollTop = top;
    if (inSettings) return this.#openSettings();
    if (hasFocus && !this.list.focus()) this.element.focus();
  }

  /** Will be as new when it is opened the next time. */
  leave() {
    this.list.seen.forget();
    this.scroller.scrollTop = 0;
    this.main.hidden = false;
    this.settings.close();
    this.notify(null);
  }

  close() {
    clearTimeout(this.#noticing);
    this.end.disconnect();
    this.list.close();
  }

  /** Shows a failure, for a while or until it is dismissed. @param {string | null} text */
  notify(text) {
    clearTimeout(this.#noticing);
    this.#noticed = performance.now();
    if (text) this.#fade();
    const dismiss = () => {
      this.notify(null);
      this.element.focus();
    };
    this.notice.replaceChildren(...(text ? [h("span", {}, text), tool(this.#locale.words.dismiss, "close", dismiss)] : []));
    this.notice.hidden = text === null;
  }

  /** An action has worked: if it began after the notice, the problem is over. @param {number} begun */
  settle(begun) {
    if (!this.notice.hidden && begun > this.#noticed && !this.#isNoticeHeld) this.notify(null);
  }

  #fade() {
    this.#noticing = setTimeout(() => (this.#isNoticeHeld ? this.#fade() : this.notify(null)), NOTICE_MS);
  }

  /** Whether the pointer or the focus is on it. */
  get #isNoticeHeld() {
    return this.notice.matches(":hover, :focus-within");
  }

  #openSettings() {
    this.main.hidden = true;
    this.settings.open();
  }

  #closeSettings() {
    this.settings.close();
    this.main.hidden = false;
    this.gear.focus();
  }

  /** From the panel itself, which has the focus when there was no list yet, an arrow leads into the list. @param {KeyboardEvent} event */
  #key(event) {
    if (event.target === this.element && event.key === "ArrowDown" && this.list.focus()) event.preventDefault();
  }

  /** @param {(client: Client) => Promise<void>} work loads the list */
  async #load(work) {
    if (!this.#client) return;
    this.#failure = null;
    this.scroller.scrollTop = 0;
    await work(this.#client).catch(() => (this.#failure = "failed"));
    this.#change();
  }

  async #loadMore() {
    const client = this.#client;
    if (!client || this.#isLoadingMore || this.#failure || client.state.loading || !client.state.hasMore) return;
    this.#isLoadingMore = true;
    await client.loadMore().catch(() => (this.#failure = "moreFailed"));
    this.#isLoadingMore = false;
    this.#change();
    this.#lookForEnd();
  }

  /** Observes again whether the end is in view: it may still be after the new items, or it came while the list could not be loaded. */
  #lookForEnd() {
    this.end.unobserve(this.after.element);
    this.end.observe(this.after.element);
  }

  /** The button that asked for it goes, so the focus is put where the list will be. */
  #retry() {
    this.scroller.focus();
    if (this.#client?.state.cursor === null) this.#client.reconnect();
    else this.#tryAgain();
  }

  #tryAgain() {
    if (this.#failure === "failed") return this.#load((client) => client.reload());
    this.#failure = null;
    this.#loadMore();
  }

  /** Offers every category that the server names, beside those of the items. */
  async #learnCategories() {
    if (this.#knowsCategories || !this.#client) return;
    this.#knowsCategories = true;
    try {
      const { inForce } = await this.#client.call("GET", "/api/notifications/settings");
      this.filters.know(Object.keys(inForce.categories));
    } catch {
      this.#knowsCategories = false;
    }
  }
}

/** @param {string} name @param {string} picture @param {() => void} click */
function tool(name, picture, click) {
  return h("button", { class: "tool", part: "tool", type: "button", title: name, "aria-label": name, on: { click } }, icon(picture));
}
