// The sound of critical items: two rising tones, twice, made here.

import { wished } from "./device.js";
import { listen } from "./element.js";
import { claim } from "./toasts/claims.js";

const TONES = [660, 880, 660, 880];
const TONE_S = 0.22;
const LENGTH_MS = 2000;

/** Whether the user has not switched it off. */
export const isLoud = () => wished("sound") !== "off";

export class Sound {
  /** @type {AudioContext | null} browsers allow sound once the user has done something with the page */
  #context = null;
  #stops = ["pointerup", "keydown"].map((name) => listen(globalThis, name, () => this.#allow(), { capture: true }));

  constructor() {
    if (navigator.userActivation?.hasBeenActive) this.#allow();
  }

  /** Plays once over all tabs, in one that is allowed to. @param {string} what names the reason */
  async play(what) {
    const context = this.#context;
    if (!context || !isLoud()) return;
    if (!(await claim(`tidings.sound ${what}`)) || !(await claim("tidings.sound", LENGTH_MS))) return;
    await context.resume();
    const begin = context.currentTime + 0.05;
    TONES.forEach((hertz, at) => tone(context, hertz, begin + at * TONE_S));
    setTimeout(() => context.state === "running" && context.suspend(), LENGTH_MS);
  }

  end() {
    this.#stops.forEach((stop) => stop());
    this.#context?.close();
    this.#context = null;
  }

  #allow() {
    if (!("AudioContext" in globalThis)) return;
    this.#stops.forEach((stop) => stop());
    this.#context = new AudioContext();
    // Between sounds the loudspeaker may sleep.
    this.#context.suspend();
  }
}

/** @param {AudioContext} context @param {number} hertz @param {number} begin in s */
function tone(context, hertz, begin) {
  const oscillator = context.createOscillator();
  const gain = context.createGain();
  oscillator.frequency.value = hertz;
  gain.gain.setValueAtTime(0, begin);
  gain.gain.linearRampToValueAtTime(0.2, begin + 0.02);
  gain.gain.exponentialRampToValueAtTime(0.001, begin + TONE_S);
  oscillator.connect(gain).connect(context.destination);
  oscillator.start(begin);
  oscillator.stop(begin + TONE_S);
}
