// Time that passes only while it is let.

export class Countdown {
  #left;
  #done;
  #since = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {number} ms `Infinity` never ends @param {() => void} done */
  constructor(ms, done) {
    this.#left = ms;
    this.#done = done;
  }

  run() {
    if (this.#timer !== undefined || this.#left === Infinity) return;
    this.#since = performance.now();
    this.#timer = setTimeout(this.#done, this.#left);
  }

  pause() {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#left = Math.max(0, this.#left - (performance.now() - this.#since));
  }
}
