// Calls to the server, with the credential of the caller. Knows neither streams nor lists.

const TIMEOUT_MS = 15000;

/**
 * A refused call. `status` is 0 when no answer came; `title` and `detail` are the server's own words; `retryMs` is set when the
 * answer named a wait.
 */
export class Problem extends Error {
  /** @param {number} status @param {string} title @param {string} [detail] @param {number} [retryMs] */
  constructor(status, title, detail = "", retryMs = undefined) {
    super(detail ? `${title}: ${detail}` : title);
    this.name = "Problem";
    this.status = status;
    this.title = title;
    this.detail = detail;
    this.retryMs = retryMs;
  }
}

/** @typedef {{token: string | null, query: Record<string, string>}} Credential a token for the header, or a ticket in the query */

/** Whether a call was refused because of its credential. @param {Problem | null} problem */
export const isRefusal = (problem) => problem?.status === 401 || problem?.status === 403;

export class Api {
  #options;
  /** @type {string | null} */
  #token;

  /** @param {import("./types.js").Options} options */
  constructor(options) {
    this.#options = options;
    this.#token = options.token ?? null;
    this.base = (options.url ?? "").replace(/\/+$/, "");
  }

  get canRefresh() {
    return this.#options.getToken !== undefined;
  }

  /** Whether the next try comes with the same proof: a cookie or a ticket may be another by then. */
  get isFixed() {
    return this.#token !== null && !this.canRefresh;
  }

  /** @param {string} token */
  use(token) {
    this.#token = token;
  }

  /**
   * The token for a call; null if a cookie authenticates the caller. If the application provides tokens, only its tokens are
   * used: a failure to get one is a failure of the call.
   * @param {boolean} [fresh]
   * @returns {Promise<string | null>}
   */
  async token(fresh = false) {
    if (this.#options.getToken && (fresh || this.#token === null)) {
      this.#token = null;
      this.#token = (await inTime(this.#options.getToken())) || null;
      if (this.#token === null) throw new Problem(401, "There is no token");
    }
    return this.#token;
  }

  /**
   * The credential of a stream, requested again for each.
   * @returns {Promise<Credential>}
   */
  async credential() {
    if (this.#options.ticket) return { token: null, query: { ticket: await inTime(this.#options.ticket()) } };
    return { token: await this.token(true), query: {} };
  }

  /**
   * One call; the parsed answer (null when empty), or a thrown `Problem`. A refused token is replaced by a fresh one, once.
   * @param {string} method
   * @param {string} path
   * @param {{body?: any, query?: Record<string, any>, headers?: Record<string, string>, signal?: AbortSignal, timeoutMs?: number, keepalive?: boolean}} [more]
   * @returns {Promise<any>}
   */
  async call(method, path, { body, query, headers, signal, keepalive, timeoutMs = TIMEOUT_MS } = {}) {
    const token = await this.token();
    const limit = AbortSignal.timeout(timeoutMs);
    const init = {
      method,
      /** @type {Record<string, string>} */
      headers: { Accept: "application/json", ...(body !== undefined && { "Content-Type": "application/json" }), ...headers },
      body: JSON.stringify(body),
      keepalive,
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    };
    let answer = await this.fetch(path, query, token, init);
    if (answer.status === 401 && this.canRefresh) answer = await this.fetch(path, query, await this.token(true), init);
    if (!answer.ok) throw await problem(answer);
    const text = await answer.text().catch(unreachable);
    return text ? JSON.parse(text) : null;
  }

  /**
   * @param {string} path
   * @param {Record<string, any>} [query] undefined values are left out
   * @param {string | null} [token]
   * @param {RequestInit} [init]
   */
  fetch(path, query = {}, token = null, init = {}) {
    const headers = { ...init.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
    // A cookie is not sent beside a token: one proof is enough, and this way the server need not ask where the page is from.
    const credentials = token ? "omit" : "include";
    return fetch(this.address(path, query), { ...init, headers, credentials, cache: "no-store" }).catch(unreachable);
  }

  /** @param {string} path @param {Record<string, any>} query */
  address(path, query) {
    const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== false);
    const text = String(new URLSearchParams(given));
    return this.base + path + (text && `?${text}`);
  }
}

/**
 * The problem of an answer.
 * @param {Response} answer
 */
export async function problem(answer) {
  const told = await answer.json().catch(() => null);
  const retryMs = Number(answer.headers.get("Retry-After")) * 1000 || undefined;
  const title = told?.title ?? `Refused with status ${answer.status}`;
  return new Problem(answer.status, title, told?.detail, retryMs);
}

/**
 * What the application hands out; it may hang as a server may.
 * @param {string | Promise<string>} given
 * @returns {Promise<string>}
 */
function inTime(given) {
  return Promise.race([given, new Promise((_, refuse) => setTimeout(() => refuse(new Problem(0, "No answer in time")), TIMEOUT_MS))]);
}

/** @param {any} error @returns {never} */
function unreachable(error) {
  throw new Problem(0, error?.name === "TimeoutError" ? "No answer in time" : "The server cannot be reached");
}
