// The user of this tab: a token, kept for as long as the tab is open.

const KEPT = "tidings.token";

/** Moves a token out of the address bar, so that it is neither bookmarked nor shared; true if there was one. */
export function takeFromAddress() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given === null) return false;
  history.replaceState(null, "", location.pathname + location.search);
  return keep(given);
}

/** Keeps a pasted token, with or without its "Bearer " prefix; false when there is nothing to keep. @param {string} text */
export function keep(text) {
  const clean = text.trim().replace(/^bearer\s+/i, "");
  if (clean) sessionStorage.setItem(KEPT, clean);
  return clean !== "";
}

export function forget() {
  sessionStorage.removeItem(KEPT);
}

export function token() {
  return sessionStorage.getItem(KEPT) ?? "";
}

/**
 * The user of a token, unverified: only to show it, and to hide actions that the server would refuse.
 * @param {string} [text]
 * @returns {{user: string, tenant: string, publishes: boolean}}
 */
export function identity(text = token()) {
  const { sub = "", tenant = "default", scope = "" } = claims(text);
  return { user: String(sub), tenant: String(tenant), publishes: /\b(publish|admin)\b/.test(String(scope)) };
}

/** Whether two tokens are of the same user. @param {string} one @param {string} other */
export function isSameUser(one, other) {
  const [first, second] = [identity(one), identity(other)];
  return first.user === second.user && first.tenant === second.tenant;
}

/** @param {string} text @returns {Record<string, unknown>} */
function claims(text) {
  try {
    const part = text.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    const bytes = Uint8Array.from(atob(part), (char) => char.charCodeAt(0));
    return Object(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return {};
  }
}
