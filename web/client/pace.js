// Times: waits, and a watch for silence.

const FLOOR_MS = 1000;
const CEILING_MS = 30000;

/** How long to wait after so many failures in a row: anything up to a bound that doubles. @param {number} attempt */
export const backoff = (attempt) => Math.random() * Math.min(CEILING_MS, FLOOR_MS * 2 ** attempt);

/** A wait that can be cut short. */
export class Pause {
  end = () => {};

  /** @param {number} ms @param {AbortSignal} stop ends it too */
  async wait(ms, stop) {
    await new Promise((resolve) => {
      this.end = () => resolve(null);
      setTimeout(resolve, ms);
      stop.addEventListener("abort", resolve, { once: true });
    });
    this.end = () => {};
  }
}

/** Notices that nothing was received for too long. Looks at the clock: timers of hidden pages come late, all at once. */
export class Watch {
  #until;
  #timer;

  /** @param {number} ms @param {() => void} late */
  constructor(ms, late) {
    this.#until = Date.now() + ms;
    this.#timer = setInterval(() => Date.now() > this.#until && late(), 1000);
  }

  /** @param {number} ms */
  feed(ms) {
    this.#until = Date.now() + ms;
  }

  stop() {
    clearInterval(this.#timer);
  }
}
