// <tidings-bell>: a button with the number of unread items, and the notification centre that it opens.
//
//   import "tidings/bell";
//   document.querySelector("tidings-bell").client = connect({ getToken });
//
// `lang` and `time-zone` decide its language and its days. Its events are `tidings-toggle` {open} and, when an item is opened,
// `tidings-open-item` {item, url}: an application that goes there by itself prevents the default.

import { Announcer } from "./bell/announcer.js";
import { icon } from "./icons.js";
import { setAttribute, setText } from "./bell/keyed.js";
import { Locale } from "./locale.js";
import { Panel } from "./bell/panel.js";
import { explain } from "./problems.js";
import { styles } from "./bell/styles.js";
import { Ticker } from "./bell/ticker.js";
import { adopt, h, target } from "./dom.js";
import { ClientElement, define, listen } from "./element.js";
import { openItem } from "./open.js";
import { theme } from "./theme.js";

const COUNT_AT_MOST = 99;

/** @typedef {import("../client/index.js").Client} Client */
/** @typedef {import("../client/types.js").State} State */
/** @typedef {import("../client/types.js").Item} Item */
/** @typedef {import("./globals.js").ToggleBellEvent} ToggleBellEvent brings the element's name and events to TypeScript */

/** @type {State} */
const NOTHING = { items: [], unread: 0, connection: "connecting", retryAt: null, loading: true, hasMore: false, filter: {}, cursor: null, problem: null };

export class Bell extends ClientElement {
  static observedAttributes = [...ClientElement.observedAttributes, "time-zone"];

  #root = this.attachShadow({ mode: "open" });
  /** @type {Parts | null} while it is in a page */
  #parts = null;
  #ticker = new Ticker(() => this.#parts?.panel.tick(this.#now));
  #frame = 0;
  /** @type {import("../client/types.js").Connection} the last one that was announced */
  #told = "live";
  /** @type {import("../client/types.js").Problem | null} */
  #problem = null;
  /** Whether the page was told that it is open. */
  #isToldOpen = false;

  constructor() {
    super();
    adopt(this.#root, theme, ...styles);
  }

  connectedCallback() {
    this.#build();
    super.connectedCallback();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#isToldOpen = false;
    this.#tearDown();
  }

  /** Other words and days; what was open stays so. */
  renew() {
    const place = this.open ? this.#parts?.panel.place : null;
    this.#build();
    super.renew();
    if (!place) return;
    this.open = true;
    this.#parts?.panel.resume(place);
  }

  /** Whether the dropdown is open. @returns {boolean} */
  get open() {
    return this.#parts?.panel.element.matches(":popover-open") ?? false;
  }

  set open(is) {
    this.#parts?.panel.element.togglePopover(Boolean(is));
  }

  #build() {
    this.#tearDown();
    const locale = new Locale(this.language, this.getAttribute("time-zone"));
    const announcer = new Announcer(locale);
    const telling = {
      open: (/** @type {Item} */ item) => this.#open(item),
      say: (/** @type {string} */ text) => announcer.say(text),
      done: (/** @type {number} */ begun) => panel.settle(begun),
      fail: (/** @type {any} */ problem) => this.#hear(problem),
    };
    const panel = new Panel(locale, telling, this.#change);
    const badge = h("span", { class: "badge", part: "badge", "aria-hidden": "true", hidden: true });
    const button = h("button", { class: "bell", part: "button", type: "button", "aria-haspopup": "dialog", "aria-expanded": "false" }, icon("bell"), badge);
    button.popoverTargetElement = panel.element;
    panel.element.addEventListener("beforetoggle", (event) => this.#beforeToggle(/** @type {ToggleEvent} */ (event)));
    panel.element.addEventListener("toggle", (event) => this.#toggled(/** @type {ToggleEvent} */ (event)));
    panel.element.addEventListener("focusout", (event) => this.#leaveWith(event));
    this.#parts = { locale, announcer, panel, badge, button };
    this.#root.replaceChildren(button, panel.element, announcer.polite, announcer.urgent);
    this.#show();
  }

  #tearDown() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.#ticker.stop();
    this.#place(false);
    this.#parts?.panel.close();
    this.#parts?.announcer.close();
    this.#parts = null;
    this.#root.replaceChildren();
  }

  /** @param {Client} client */
  follow(client) {
    this.#parts?.panel.use(client);
    this.#change();
    return [
      client.subscribe(this.#change),
      client.on("notification", ({ item, missed }) => !missed && this.#isToTell(item) && this.#parts?.announcer.arrived(item)),
      client.on("caughtUp", ({ items }) => this.#toastsSpeak || this.#parts?.announcer.caughtUp(items)),
      client.on("problem", (problem) => this.#hear(problem)),
      () => this.#parts?.panel.use(null),
      this.#change,
    ];
  }

  get #now() {
    return this.client?.now() ?? Date.now();
  }

  /** Changes within a frame are shown once. */
  #change = () => {
    this.#frame ||= requestAnimationFrame(() => this.#show());
  };

  #show() {
    this.#frame = 0;
    if (!this.#parts) return;
    const state = this.client?.state ?? NOTHING;
    this.#showButton(this.#parts, state);
    this.#tellConnection(state);
    this.#tellProblem(state);
    if (this.open) this.#parts.panel.update(state, this.#now);
  }

  /** @param {Parts} parts @param {State} state */
  #showButton({ locale, badge, button }, { unread, connection }) {
    const { words } = locale;
    const isAway = connection === "offline" || connection === "expired";
    const count = unread > COUNT_AT_MOST ? words.many : String(unread);
    setText(badge, count);
    badge.hidden = unread === 0;
    button.classList.toggle("away", isAway);
    // A user of voice control says the visible text of the button.
    const facts = [words.title, unread > 0 && locale.fill(words.unread, { n: count }), isAway && words[connection]];
    setAttribute(button, "aria-label", facts.filter(Boolean).join(", "));
  }

  /** Says aloud that the connection was lost, and that it is back. @param {State} state */
  #tellConnection({ connection }) {
    if (connection === "connecting" || connection === "catchingUp" || connection === this.#told) return;
    this.#told = connection;
    this.#parts?.announcer.say(this.#parts.locale.words[connection]);
  }

  /** @param {Item} item */
  #isToTell(item) {
    return !(this.#toastsSpeak && item.channels.includes("toast"));
  }

  /** Whether toasts of the same client announce arrivals. */
  get #toastsSpeak() {
    const toasts = /** @type {NodeListOf<Element & {client?: any}>} */ (document.querySelectorAll("tidings-toasts"));
    return [...toasts].some(({ client }) => client === this.client);
  }

  /** @param {import("../client/types.js").Problem} problem */
  #hear(problem) {
    this.#problem = problem;
    this.#change();
  }

  /** Shows a refusal; a missing list or connection has its own display. @param {State} state */
  #tellProblem(state) {
    const problem = this.#problem;
    this.#problem = null;
    if (problem && problem !== state.problem && this.#parts) this.#parts.panel.notify(explain(problem, this.#parts.locale));
  }

  /** @param {Item} item */
  #open(item) {
    if (target(item.actionUrl)) this.open = false;
    return openItem(this, item);
  }

  /** @param {ToggleEvent} event */
  #beforeToggle({ newState }) {
    if (!this.#parts) return;
    const { panel, button } = this.#parts;
    if (newState === "open") {
      this.#place(true);
      panel.update(this.client?.state ?? NOTHING, this.#now);
    } else if (panel.element.contains(this.#root.activeElement)) {
      button.focus({ preventScroll: true });
    }
  }

  /** @param {ToggleEvent} event */
  #toggled({ newState }) {
    const open = newState === "open";
    if (!this.#parts) return;
    const { panel, button } = this.#parts;
    setAttribute(button, "aria-expanded", String(open));
    if (open) {
      this.#ticker.start();
      panel.enter();
    } else {
      this.#ticker.stop();
      this.#place(false);
      panel.leave();
    }
    if (open === this.#isToldOpen) return;
    this.#isToldOpen = open;
    this.dispatchEvent(new CustomEvent("tidings-toggle", { detail: { open }, bubbles: true, composed: true }));
  }

  /** A focus that moves past the end of the dropdown closes it: it must not hide the element with the focus. @param {FocusEvent} event */
  #leaveWith({ relatedTarget }) {
    if (!relatedTarget || !this.#parts) return;
    const { panel, button } = this.#parts;
    const next = /** @type {Node} */ (relatedTarget);
    if (next !== button && !panel.element.contains(next)) this.open = false;
  }

  /** Keeps the dropdown at the button while it is open. @param {boolean} is */
  #place(is) {
    this.#unplace();
    const names = is ? ["scroll", "resize"] : [];
    const undo = names.map((name) => listen(window, name, this.#move, { capture: true, passive: true }));
    this.#unplace = () => undo.forEach((each) => each());
    if (is) this.#move();
  }

  #unplace = () => {};

  #move = () => {
    if (!this.#parts) return;
    const { button, panel } = this.#parts;
    const at = button.getBoundingClientRect();
    const [isLeft, isLow] = [at.left + at.right < innerWidth, at.top + at.bottom > innerHeight];
    const { style, classList } = panel.element;
    classList.toggle("left", isLeft);
    classList.toggle("up", isLow);
    style.setProperty("--_edge", `${isLeft ? at.left : document.documentElement.clientWidth - at.right}px`);
    style.setProperty("--_offset", `${isLow ? innerHeight - at.top : at.bottom}px`);
  };
}

/**
 * @typedef {object} Parts
 * @property {Locale} locale
 * @property {Announcer} announcer
 * @property {Panel} panel
 * @property {HTMLElement} badge
 * @property {HTMLButtonElement} button
 */

define("tidings-bell", Bell);
