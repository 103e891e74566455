// The token of this tab and calls to the API. Knows neither the stream nor the page.

const STORED = "tidings.token";
const TIMEOUT_MS = 15000;

/**
 * A refused call: `status` is 0 when no answer came; `title` and `detail` are the server's own words;
 * `retryMs` is set when the answer named a wait.
 */
export class Problem extends Error {
  constructor(status, title, detail, retryMs) {
    super(detail ? `${title}: ${detail}` : title);
    this.status = status;
    this.title = title;
    this.detail = detail ?? "";
    this.retryMs = retryMs;
  }
}

/** Moves a token out of the address bar, so that it is neither bookmarked nor shared; true if there was one. */
export function takeTokenFromFragment() {
  if (!location.hash.startsWith("#")) return false;
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token === null) return false;
  history.replaceState(null, "", location.pathname + location.search);
  return setToken(token);
}

export function token() {
  return sessionStorage.getItem(STORED);
}

/** Keeps a pasted token, with or without its "Bearer " prefix; false when there is nothing to keep. */
export function setToken(text) {
  const clean = text.trim().replace(/^bearer\s+/i, "");
  if (!clean) return false;
  sessionStorage.setItem(STORED, clean);
  return true;
}

export function forgetToken() {
  sessionStorage.removeItem(STORED);
}

/** The claims of a token, unverified: only to name the user on the page. Null when it is not readable. */
export function claims(text = token()) {
  try {
    const part = text.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    const bytes = Uint8Array.from(atob(part), (char) => char.charCodeAt(0));
    const found = JSON.parse(new TextDecoder().decode(bytes));
    return found !== null && typeof found === "object" ? found : null;
  } catch {
    return null;
  }
}

/** One call with the token of this tab; the parsed answer (null when empty), or a thrown `Problem`. */
export async function call(method, path, body) {
  const headers = { Accept: "application/json, application/problem+json" };
  const bearer = token();
  if (bearer) headers.Authorization = `Bearer ${bearer}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer, text;
  try {
    answer = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    text = await answer.text();
  } catch (error) {
    const late = error.name === "TimeoutError";
    throw new Problem(0, late ? "No answer in time" : "The server cannot be reached");
  }
  const parsed = parse(text);
  if (answer.ok) return parsed;
  const title = typeof parsed?.title === "string" ? parsed.title : `Refused with status ${answer.status}`;
  const wait = Number.parseInt(answer.headers.get("Retry-After"), 10);
  throw new Problem(answer.status, title, typeof parsed?.detail === "string" ? parsed.detail : "", wait >= 0 ? wait * 1000 : undefined);
}

function parse(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}
