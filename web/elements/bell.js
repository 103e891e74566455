// <tidings-bell>: a button with the number of what is unread, and the notification centre that it opens.
//
//   import "tidings/bell";
//   document.querySelector("tidings-bell").client = connect({ getToken });
//
// `lang` and `time-zone` decide how it speaks and counts days. It tells of `tidings-toggle` {open} and, when an item is opened, of
// `tidings-open-item` {item, url}: an application that goes there by itself prevents the default.

import { Announcer } from "./bell/announcer.js";
import { icon } from "./bell/icons.js";
import { setAttribute, setText } from "./bell/keyed.js";
import { Locale } from "./bell/locale.js";
import { Panel } from "./bell/panel.js";
import { explain } from "./bell/problems.js";
import { styles } from "./bell/styles.js";
import { Ticker } from "./bell/ticker.js";
import { h } from "./dom.js";
import { languageOf } from "./texts.js";
import { theme } from "./theme.js";

const COUNT_AT_MOST = 99;

/** @typedef {import("../client/index.js").Client} Client */
/** @typedef {import("../client/types.js").State} State */
/** @typedef {import("../client/types.js").Item} Item */

/** @type {State} */
const NOTHING = { items: [], unread: 0, connection: "connecting", retryAt: null, loading: true, hasMore: false, filter: {}, cursor: null, problem: null };

export class Bell extends HTMLElement {
  static observedAttributes = ["lang", "time-zone"];

  #root = this.attachShadow({ mode: "open" });
  /** @type {Client | null} */
  #client = null;
  /** @type {Parts | null} while it is in a page */
  #parts = null;
  /** @type {(() => void)[]} */
  #endings = [];
  #ticker = new Ticker((now) => this.#parts?.panel.tick(now));
  #frame = 0;
  /** @type {import("../client/types.js").Connection} the last of which was told aloud */
  #told = "live";

  constructor() {
    super();
    this.#root.adoptedStyleSheets = [theme, ...styles];
  }

  connectedCallback() {
    // What was set before this module was loaded hides the property.
    if (Object.hasOwn(this, "client")) {
      const given = this.client;
      delete (/** @type {any} */ (this).client);
      this.client = given;
    }
    this.#build();
  }

  disconnectedCallback() {
    this.#tearDown();
  }

  attributeChangedCallback() {
    if (this.#parts) this.#build();
  }

  /** Whose inbox it shows. @returns {Client | null} */
  get client() {
    return this.#client;
  }

  set client(client) {
    if (client === this.#client) return;
    this.#client = client ?? null;
    this.#follow();
  }

  /** Whether the dropdown is open. */
  get open() {
    return this.#parts?.panel.element.matches(":popover-open") ?? false;
  }

  set open(is) {
    this.#parts?.panel.element.togglePopover(Boolean(is));
  }

  #build() {
    this.#tearDown();
    const locale = new Locale(languageOf(this), this.getAttribute("time-zone"));
    const announcer = new Announcer(locale);
    const telling = {
      open: (/** @type {Item} */ item, /** @type {URL | null} */ url) => this.#openItem(item, url),
      say: (/** @type {string} */ text) => announcer.say(text),
      fail: (/** @type {any} */ problem) => this.#complain(problem),
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
    this.#follow();
  }

  #tearDown() {
    this.#unfollow();
    this.#ticker.stop();
    this.#place(false);
    this.#parts?.panel.close();
    this.#parts?.announcer.close();
    this.#parts = null;
    this.#root.replaceChildren();
  }

  #follow() {
    this.#unfollow();
    const [client, parts] = [this.#client, this.#parts];
    if (!parts) return;
    parts.panel.use(client);
    if (client) {
      this.#endings = [
        client.subscribe(this.#change),
        client.on("notification", ({ item, missed }) => !missed && this.#isToTell(item) && parts.announcer.arrived(item)),
        client.on("caughtUp", ({ items }) => this.#tellsToasts() || parts.announcer.caughtUp(items)),
        client.on("problem", (problem) => this.#complain(problem)),
      ];
    }
    this.#show();
  }

  #unfollow() {
    this.#endings.forEach((end) => end());
    this.#endings = [];
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }

  /** What changes within a frame is shown once. */
  #change = () => {
    this.#frame ||= requestAnimationFrame(() => this.#show());
  };

  #show() {
    this.#frame = 0;
    if (!this.#parts) return;
    const state = this.#client?.state ?? NOTHING;
    this.#showButton(this.#parts, state);
    this.#tellConnection(state);
    if (this.open) this.#parts.panel.update(state, Date.now());
  }

  /** @param {Parts} parts @param {State} state */
  #showButton({ locale, badge, button }, { unread, connection }) {
    const { words } = locale;
    const isAway = connection === "offline" || connection === "expired";
    setText(badge, unread > COUNT_AT_MOST ? words.many : String(unread));
    badge.hidden = unread === 0;
    button.classList.toggle("away", isAway);
    const facts = [words.title, unread > 0 && locale.fill(words.unread, { n: unread }), isAway && words[connection]];
    setAttribute(button, "aria-label", facts.filter(Boolean).join(", "));
  }

  /** Says aloud that the connection was lost, and that it is back. @param {State} state */
  #tellConnection({ connection }) {
    if (connection === "connecting" || connection === "catchingUp" || connection === this.#told) return;
    this.#told = connection;
    this.#parts?.announcer.say(this.#parts.locale.words[connection]);
  }

  /** Toasts speak for themselves. @param {Item} item */
  #isToTell(item) {
    return !(this.#tellsToasts() && item.channels.includes("toast"));
  }

  #tellsToasts() {
    const toasts = [.../** @type {NodeListOf<Element & {client?: any}>} */ (document.querySelectorAll("tidings-toasts"))];
    return this.#client !== null && toasts.some(({ client }) => client === this.#client);
  }

  /** @param {import("../client/types.js").Problem} problem */
  #complain(problem) {
    if (this.#parts) this.#parts.panel.notify(explain(problem, this.#parts.locale));
  }

  /** @param {Item} item @param {URL | null} url */
  #openItem(item, url) {
    const detail = { item, url: url?.href ?? null };
    const isFollowed = this.dispatchEvent(new CustomEvent("tidings-open-item", { detail, bubbles: true, composed: true, cancelable: true }));
    if (url) this.open = false;
    return isFollowed;
  }

  /** @param {ToggleEvent} event */
  #beforeToggle({ newState }) {
    if (newState !== "open" || !this.#parts) return;
    this.#place(true);
    this.#parts.panel.update(this.#client?.state ?? NOTHING, Date.now());
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
    this.dispatchEvent(new CustomEvent("tidings-toggle", { detail: { open }, bubbles: true, composed: true }));
  }

  /** Whoever goes on past the end of the dropdown leaves it: it is not to hide what has the focus now. @param {FocusEvent} event */
  #leaveWith({ relatedTarget }) {
    if (!relatedTarget || !this.#parts) return;
    const { panel, button } = this.#parts;
    const next = /** @type {Node} */ (relatedTarget);
    if (next !== button && !panel.element.contains(next)) this.open = false;
  }

  /** Keeps the dropdown at the button while it is open. @param {boolean} is */
  #place(is) {
    for (const name of ["scroll", "resize"]) {
      if (is) addEventListener(name, this.#move, { capture: true, passive: true });
      else removeEventListener(name, this.#move, { capture: true });
    }
    if (is) this.#move();
  }

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

if (!customElements.get("tidings-bell")) customElements.define("tidings-bell", Bell);
