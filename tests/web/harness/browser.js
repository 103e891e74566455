// Browsers with the client library in their tabs.

import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium } from "playwright-core";

import { record } from "./recorder.js";
import { servers, token } from "./stage.js";
import { Tab } from "./tab.js";

/** @type {import("playwright-core").Browser | undefined} */
let chromiumProcess;

async function launch() {
  return (chromiumProcess ??= await chromium.launch({
    executablePath: executable("chromium"),
    args: ["--no-sandbox", "--no-proxy-server", "--disable-dev-shm-usage", "--disable-quic"],
    // Pages that are left are kept, as users' browsers keep them.
    ignoreDefaultArgs: ["--disable-back-forward-cache"],
  }));
}

export async function closeBrowsers() {
  await chromiumProcess?.close();
}

/** A browser of its own: other browsers know nothing of its storage, cookies and tabs. */
export class Browser {
  /** @param {string} user @param {{url?: string, context?: import("playwright-core").BrowserContextOptions, aheadMs?: number}} [more] `aheadMs`: by how much its clock is wrong */
  static async of(user, { url = servers.url, context = {}, aheadMs = 0 } = {}) {
    const made = await (await launch()).newContext(context);
    made.setDefaultTimeout(60000);
    if (aheadMs) await made.clock.install({ time: Date.now() + aheadMs });
    const browser = new Browser(user, url, made);
    await made.exposeFunction("handOut", () => browser.handOut());
    return browser;
  }

  /** @param {string} user @param {string} url @param {import("playwright-core").BrowserContext} context */
  constructor(user, url, context) {
    this.user = user;
    this.url = url;
    this.context = context;
    /** @type {() => Promise<string>} the credential for its clients */
    this.handOut = () => token(user);
  }

  /**
   * A tab with a client that follows the stream.
   * @param {import("../../../web/client/types.js").Options} [options] of `connect`, without functions
   * @param {"getToken" | "ticket" | "own"} [proof] the credential that the client asks the page for; `own`: nothing
   */
  async open(options, proof) {
    const tab = await this.begin(options, proof);
    await tab.live();
    return tab;
  }

  /**
   * As `open`, but does not wait for the client.
   * @param {import("../../../web/client/types.js").Options} [options]
   * @param {"getToken" | "ticket" | "own"} [proof]
   */
  async begin(options = {}, proof = "getToken") {
    const page = await this.context.newPage();
    const tab = new Tab(page, this.user);
    await page.addInitScript(record, { options, proof });
    await page.goto(`${this.url}/docs`);
    return tab;
  }

  /** Records the requests of its tabs to the API, in order. @returns {{path: string, authorization: string | undefined}[]} */
  requests() {
    /** @type {{path: string, authorization: string | undefined}[]} */
    const requests = [];
    this.context.on("request", (request) => {
      const { pathname } = new URL(request.url());
      if (pathname.startsWith("/api/")) requests.push({ path: pathname, authorization: request.headers().authorization });
    });
    return requests;
  }
}

/** @param {string} name @returns {string} */
function executable(name) {
  for (const directory of (process.env.PATH ?? "").split(delimiter)) {
    try {
      accessSync(join(directory, name), constants.X_OK);
      return join(directory, name);
    } catch {
      // It is in another directory.
    }
  }
  throw new Error(`${name} is not installed`);
}
