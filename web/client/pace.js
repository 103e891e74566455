// Times: waits, and a watch for silence.

const FLOOR_MS = 1000;
const CEILING_MS = 30000;
// By so much the clock moves between two looks only if it is set, or if the computer slept.
const JUMP_MS = 5000;

/** How long to wait after so many failures in a row: anything up to a bound that doubles. @param {number} attempt */
export const backoff = (attempt) => Math.random() * Math.min(CEILING_MS, FLOOR_MS * 2 ** attempt);

/** A wait that can be cut short. */
export class Pause {
  /** @type {(value?: any) => void} */
  end = () => {};

  /** @param {number} ms @param {AbortSignal} stop ends it too */
  wait(ms, stop) {
    return new Promise((resolve) => {
      this.end = resolve;
      setTimeout(resolve, ms);
      stop.addEventListener("abort", resolve, { once: true });
    });
  }
}

/** By how many ms the computer's clock is ahead of the clock that nobody sets, which in some browsers stands still during sleep. */
const lead = () => Date.now() - performance.now();

/**
 * Notices that nothing was received for too long. Looks at a clock: timers of hidden pages come late, all at once. The clock is the
 * one that nobody sets. It may stand still while the computer sleeps, so a jump of the other one counts as well: after a sleep the
 * connection is probably dead. A clock that is set forward looks the same. So a jump proves no silence.
 */
export class Watch {
  #until = 0;
  #timer;

  /** @param {number} ms @param {(isSilent: boolean) => void} late `isSilent` is false after a jump */
  constructor(ms, late) {
    this.feed(ms);
    let now = lead();
    this.#timer = setInterval(() => {
      const before = now;
      now = lead();
      const isSilent = performance.now() > this.#until;
      if (isSilent || now - before > JUMP_MS) late(isSilent);
    }, 1000);
  }

  /** @param {number} ms */
  feed(ms) {
    this.#until = performance.now() + ms;
  }

  stop() {
    clearInterval(this.#timer);
  }
}
