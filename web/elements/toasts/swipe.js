// Throws a card away by finger or pen. A mouse has the close button, and selects text.

const THROWN_PX = 80;
const FLICK_PX_PER_MS = 0.5;

/**
 * @param {HTMLElement} card
 * @param {() => void} thrown
 */
export function swipe(card, thrown) {
  /** @type {{x: number, at: number, moved: number} | null} */
  let start = null;
  /** @param {number} moved */
  const shift = (moved) => {
    card.style.translate = moved ? `${moved}px 0` : "";
    card.style.opacity = moved ? String(Math.max(0.2, 1 - Math.abs(moved) / 300)) : "";
  };
  card.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "mouse") start = { x: event.clientX, at: event.timeStamp, moved: 0 };
  });
  card.addEventListener("pointermove", (event) => {
    if (!start) return;
    start.moved = event.clientX - start.x;
    // A tap stays a tap: only a moving finger takes the event from the element below.
    if (Math.abs(start.moved) < 8) return;
    card.setPointerCapture(event.pointerId);
    shift(start.moved);
  });
  card.addEventListener("pointerup", (event) => {
    if (!start) return;
    const distance = Math.abs(start.moved);
    const isFlick = distance > 24 && distance / (event.timeStamp - start.at) > FLICK_PX_PER_MS;
    start = null;
    if (distance > THROWN_PX || isFlick) thrown();
    else shift(0);
  });
  // The browser scrolls instead.
  card.addEventListener("pointercancel", () => {
    start = null;
    shift(0);
  });
}
