// The one way to wait: for something to be so, never for time to pass.

const DEADLINE_MS = 60000;
const PAUSE_MS = 20;

/**
 * Asks again and again until the answer is a true one, which it returns.
 * @template T
 * @param {string} what
 * @param {() => T | Promise<T>} probe
 * @returns {Promise<NonNullable<T>>}
 */
export async function until(what, probe) {
  for (const begun = Date.now(); Date.now() - begun < DEADLINE_MS; ) {
    const found = await probe();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  throw new Error(`this never came about: ${what}`);
}
