// The common style of the elements. Pages restyle them by the custom properties, and by `::part`.

import { sheet } from "./dom.js";

export const theme = sheet(`
  :host {
    --_font: var(--tidings-font, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif);
    --_background: var(--tidings-background, light-dark(#ffffff, #16181d));
    --_raised: var(--tidings-raised, light-dark(#f6f7f9, #1e2128));
    --_text: var(--tidings-text, light-dark(#14171c, #eceef2));
    --_muted: var(--tidings-muted, light-dark(#5a6270, #a2a9b6));
    --_border: var(--tidings-border, light-dark(#dfe2e8, #30343d));
    --_accent: var(--tidings-accent, light-dark(#2456d6, #8fb0ff));
    --_on-accent: var(--tidings-on-accent, light-dark(#ffffff, #10141d));
    --_overdue: var(--tidings-overdue, light-dark(#b3261e, #ff8f86));
    --_due: var(--tidings-due, light-dark(#7d5700, #f5c451));
    --_missed: var(--tidings-missed, light-dark(#0b5cad, #7cc0ff));
    --_good: var(--tidings-good, light-dark(#1b6e3c, #6fd898));
    --_badge: var(--tidings-badge, light-dark(#d01f16, #ff5d52));
    --_radius: var(--tidings-radius, 12px);
    --_shadow: var(--tidings-shadow, 0 12px 40px light-dark(#0b122033, #000000a0), 0 2px 8px light-dark(#0b12201a, #00000060));
    font-family: var(--_font);
    font-size: 14px;
    line-height: 1.4;
    color: var(--_text);
  }
  :host([hidden]) { display: none; }
  * { box-sizing: border-box; }
  button, input, select, textarea { font: inherit; color: inherit; }
  :focus-visible { outline: 2px solid var(--_accent); outline-offset: 2px; }
  @media (prefers-reduced-motion: reduce) { *, *::before, *::after { animation: none !important; transition: none !important; } }
`);
