// A scenario: one script, one promise. It ends well when its work does.

import { closeBrowsers } from "./browser.js";

export { Browser } from "./browser.js";
export { Publisher, User, holder, openStreams, publish } from "./server.js";
export * as stage from "./stage.js";
export { servers, token } from "./stage.js";
export { leader } from "./tab.js";
export { until } from "./until.js";

/** @param {() => Promise<void>} work */
export async function scenario(work) {
  try {
    await work();
    await closeBrowsers();
    process.exit(0);
  } catch (error) {
    console.error(error);
    await closeBrowsers().catch(() => {});
    process.exit(1);
  }
}
