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
  /** @param {string} user @param {{url?: string, context?: import("playwright-core").BrowserContextOptions}} [more] */
  static async of(user, { url = servers.url, context = {} } = {}) {
    const made = await (await launch()).newContext(context);
    made.setDefaultTimeout(60000);
    const browser = new Browser(user, url, made);
    await made.exposeFunction("handOutToken", () => browser.handOut());
    return browser;
  }

  /** @param {string} user @param {string} url @param {import("playwright-core").BrowserContext} context */
  constructor(user, url, context) {
    this.user = user;
    this.url = url;
    this.context = context;
    /** @type {() => Promise<string>} what `getToken` gives its clients */
    this.handOut = () => token(user);
  }

  /**
   * A tab with a client that follows the stream.
   * @param {import("../../../web/client/types.js").Options} [options] of `connect`, without functions
   */
  async open(options = {}) {
    const tab = await this.tab(options);
    await tab.live();
    return tab;
  }

  /** A tab in which a client has begun. @param {import("../../../web/client/types.js").Options} [options] */
  async tab(options = {}) {
    const page = await this.context.newPage();
    const tab = new Tab(page, this.user);
    await page.addInitScript(record, options);
    await page.goto(`${this.url}/docs`);
    return tab;
  }

  close() {
    return this.context.close();
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
