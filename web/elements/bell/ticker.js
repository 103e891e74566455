// One timer for all that shows a time. It pauses while the page is hidden, and catches up when it is shown.

const TICK_MS = 1000;

export class Ticker {
  #listener;
  /** @type {number | undefined} */
  #timer;
  #running = false;

  /** @param {() => void} listener */
  constructor(listener) {
    this.#listener = listener;
  }

  start() {
    this.stop();
    this.#running = true;
    document.addEventListener("visibilitychange", this.#follow);
    this.#follow();
  }

  stop() {
    this.#running = false;
    document.removeEventListener("visibilitychange", this.#follow);
    clearInterval(this.#timer);
  }

  #follow = () => {
    clearInterval(this.#timer);
    if (!this.#running || document.visibilityState === "hidden") return;
    this.#timer = setInterval(this.#tick, TICK_MS);
    this.#tick();
  };

  #tick = () => this.#listener();
}
