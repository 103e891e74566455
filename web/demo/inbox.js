// The list of notifications: upserts and state changes onto keyed elements, so that focus survives an update.
// Never counts: the server's `unread` is the only truth.

const PRIORITIES = { low: "Low", medium: "Medium", high: "High", critical: "Critical" };
const SHOWN_AT_MOST = 200;
const UNITS = [["year", 31536000], ["month", 2592000], ["week", 604800], ["day", 86400], ["hour", 3600], ["minute", 60]];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const absolute = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export class Inbox {
  #list;
  #act;
  #entries = new Map();

  /** `act(verb, id)` is called for read, unread, archive and delete. */
  constructor(list, act) {
    this.#list = list;
    this.#act = act;
    setInterval(() => this.#entries.forEach(({ parts }) => showTime(parts.time)), 20000);
  }

  get size() {
    return this.#entries.size;
  }

  /** Replaces everything; not announced, for nothing of it just happened. */
  replace(notifications) {
    this.#list.setAttribute("aria-busy", "true");
    const kept = new Set(notifications.map(({ id }) => id));
    for (const id of [...this.#entries.keys()]) if (!kept.has(id)) this.remove(id);
    notifications.forEach((each) => this.put(each));
    this.#list.setAttribute("aria-busy", "false");
  }

  /** Shows a notification at its place, newest first; `arrived` marks one that came to the top just now for a moment. */
  put(notification, arrived = false) {
    if (typeof notification?.id !== "string") return;
    if (notification.archivedAt || notification.snoozedUntil) return this.remove(notification.id);
    let entry = this.#entries.get(notification.id);
    if (!entry) {
      entry = this.#build(notification.id);
      this.#entries.set(notification.id, entry);
    }
    const moved = notification.seq > entry.seq;
    entry.seq = notification.seq ?? 0;
    fill(entry.parts, notification);
    setRead(entry.parts, Boolean(notification.readAt));
    entry.parts.item.classList.toggle("arrived", arrived && moved);
    this.#place(entry);
    this.#trim();
  }

  /** Applies a state frame. It only takes away: what comes back to the list arrives anew, as a notification. */
  apply(state) {
    for (const id of state.ids ?? []) {
      if (state.archived || state.deleted || state.snoozedUntil) this.remove(id);
      else if (typeof state.read === "boolean") this.setRead(id, state.read);
    }
  }

  setRead(id, read) {
    const entry = this.#entries.get(id);
    if (entry) setRead(entry.parts, read);
  }

  remove(id) {
    const entry = this.#entries.get(id);
    if (!entry) return;
    const { item } = entry.parts;
    const neighbour = item.nextElementSibling ?? item.previousElementSibling;
    const focused = item.contains(document.activeElement);
    item.remove();
    this.#entries.delete(id);
    if (focused) (neighbour?.querySelector("button") ?? document.getElementById("inbox-title")).focus();
  }

  #build(id) {
    const item = make("li", "item");
    const mark = make("span", "mark");
    const kind = make("span", "kind");
    const time = make("time", "time");
    const title = make("h3", "title");
    const message = make("p", "message");
    const link = make("a", "action");
    const toggle = make("button", "toggle");
    const archive = make("button", "plain", "Archive");
    const remove = make("button", "plain danger", "Delete");
    const meta = make("div", "meta");
    const buttons = make("div", "buttons");
    meta.append(mark, kind, time);
    buttons.append(link, toggle, archive, remove);
    item.append(meta, title, message, buttons);
    for (const button of [toggle, archive, remove]) button.type = "button";
    const run = async (button, verb) => {
      button.setAttribute("aria-disabled", "true");
      await this.#act(verb, id);
      button.removeAttribute("aria-disabled");
    };
    const guard = (button, verb) => button.addEventListener("click", () => {
      if (!button.hasAttribute("aria-disabled")) run(button, verb());
    });
    guard(toggle, () => (item.classList.contains("read") ? "unread" : "read"));
    guard(archive, () => "archive");
    guard(remove, () => "delete");
    return { seq: 0, parts: { item, mark, kind, time, title, message, link, toggle, archive, remove } };
  }

  #place(entry) {
    const { item } = entry.parts;
    let before = null;
    for (const other of this.#list.children) {
      if (other !== item && Number(other.dataset.seq) < entry.seq) {
        before = other;
        break;
      }
    }
    item.dataset.seq = entry.seq;
    if (item.parentNode !== this.#list || item.nextElementSibling !== before) this.#list.insertBefore(item, before);
  }

  #trim() {
    while (this.#entries.size > SHOWN_AT_MOST) {
      const last = this.#list.lastElementChild;
      for (const [id, { parts }] of this.#entries) if (parts.item === last) this.remove(id);
    }
  }
}

/** Where a notification may lead: http(s), or a path on this very origin. Anything else is not a link. */
export function safeTarget(text) {
  if (typeof text !== "string") return null;
  const path = text.startsWith("/");
  if (!path && !/^https?:\/\//i.test(text)) return null;
  try {
    const url = new URL(text, location.origin);
    // "//host", "/\host" and a path with a tab in it all leave the origin once parsed.
    if (path && url.origin !== location.origin) return null;
    return url.protocol === "http:" || url.protocol === "https:" ? url : null;
  } catch {
    return null;
  }
}

function fill(parts, notification) {
  const priority = Object.hasOwn(PRIORITIES, notification.priority) ? notification.priority : "medium";
  parts.mark.className = `mark ${priority}`;
  parts.mark.textContent = PRIORITIES[priority];
  parts.kind.textContent = notification.kind ?? "";
  parts.kind.title = notification.category ? `Category: ${notification.category}` : "";
  parts.title.textContent = notification.title ?? "";
  parts.message.textContent = notification.message ?? "";
  parts.message.hidden = !notification.message;
  parts.time.dateTime = notification.createdAt ?? "";
  showTime(parts.time);
  const target = safeTarget(notification.actionUrl);
  parts.link.hidden = target === null;
  if (target === null) {
    parts.link.removeAttribute("href");
  } else {
    const away = target.origin !== location.origin;
    parts.link.href = target.href;
    parts.link.textContent = away ? `Open ${target.host}` : "Open";
    parts.link.rel = "noopener noreferrer";
    parts.link.target = away ? "_blank" : "";
  }
  for (const [part, verb] of [[parts.archive, "Archive"], [parts.remove, "Delete"], [parts.link, "Open"]]) {
    part.setAttribute("aria-label", `${verb}: ${notification.title ?? ""}`);
  }
}

function setRead(parts, read) {
  parts.item.classList.toggle("read", read);
  parts.toggle.textContent = read ? "Mark unread" : "Mark read";
  parts.toggle.setAttribute("aria-label", `${parts.toggle.textContent}: ${parts.title.textContent}`);
}

function showTime(time) {
  const at = new Date(time.dateTime);
  if (Number.isNaN(at.getTime())) return void (time.textContent = "");
  const seconds = Math.round((at - Date.now()) / 1000);
  const [unit, size] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? ["second", 1];
  time.textContent = Math.abs(seconds) < 10 ? "just now" : relative.format(Math.trunc(seconds / size), unit);
  time.title = absolute.format(at);
}

function make(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}
