// How the toasts look.

export const css = `
  :host {
    --_shadow: var(--tidings-shadow, 0 4px 18px light-dark(#0b12202e, #00000090), 0 1px 3px light-dark(#0b12201f, #00000060));
    position: fixed; inset: 0; z-index: var(--tidings-toasts-layer, 2000); pointer-events: none;
  }
  .region {
    position: absolute; inset: auto 0 0 auto; display: flex; flex-direction: column; gap: 8px;
    width: min(380px, 100%); max-height: 100%; padding: 16px; outline: none;
  }
  .region[hidden], .foot[hidden] { display: none; }
  :host([placement^="top"]) .region { inset-block: 0 auto; }
  :host([placement$="left"]) .region { inset-inline: 0 auto; }
  :host(:is([placement="top"], [placement="bottom"])) .region { inset-inline: 0; margin-inline: auto; }

  .cards { display: flex; flex-direction: column; gap: 8px; min-height: 0; margin: -20px; padding: 20px; overflow-y: auto; list-style: none; scrollbar-width: thin; }
  .cards:empty { display: none; }
  .card {
    position: relative; display: flex; gap: 10px; flex: none; padding: 12px 14px 12px 16px; overflow: hidden; pointer-events: auto;
    background: var(--_background); border: 1px solid var(--_border); border-radius: var(--_radius); box-shadow: var(--_shadow);
    touch-action: pan-y; animation: arrive 220ms cubic-bezier(.2, .8, .3, 1);
  }
  .card::before { content: ""; position: absolute; inset: 0 auto 0 0; width: 4px; background: var(--_mark); }
  [data-priority="low"] { --_mark: var(--_border); --_word: var(--_muted); }
  [data-priority="medium"] { --_mark: var(--_accent); --_word: var(--_muted); }
  [data-priority="high"] { --_mark: var(--_due); --_word: var(--_due); }
  [data-priority="critical"] { --_mark: var(--_overdue); --_word: var(--_overdue); }
  .card[data-priority="critical"] { border-color: var(--_overdue); }
  @keyframes arrive { from { opacity: 0; transform: translateY(12px) scale(.98); } }

  .icon { display: grid; place-items: center; flex: none; width: 34px; height: 34px; border-radius: 50%; background: var(--_raised); color: var(--_word); }
  svg { width: 18px; height: 18px; fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round; }
  .body { flex: 1; min-width: 0; }
  p { margin: 0; }
  .meta { display: flex; align-items: center; gap: 6px; min-height: 20px; padding-inline-end: 84px; font-size: 12px; color: var(--_muted); }
  .meta > * + *::before { content: "·"; margin-inline-end: 6px; }
  .priority { font-weight: 600; color: var(--_word); }
  .title { margin-top: 2px; font-weight: 600; overflow-wrap: anywhere; }
  .message { margin-top: 2px; color: var(--_muted); overflow-wrap: anywhere; }
  .card:not(.prompt) .title, .message { display: -webkit-box; overflow: hidden; -webkit-box-orient: vertical; -webkit-line-clamp: 3; }
  .card:not(.prompt) .title { -webkit-line-clamp: 2; }
  .image { display: block; width: 100%; height: 128px; margin-top: 8px; border-radius: 8px; object-fit: cover; background: var(--_raised); }
  .image[hidden] { display: none; }
  .actions { display: flex; flex-wrap: wrap; gap: 6px; margin-top: 10px; }
  .corner { position: absolute; inset-block-start: 7px; inset-inline-end: 8px; display: flex; }

  button, a { display: inline-flex; align-items: center; min-height: 30px; padding: 4px 10px; border: 1px solid transparent; border-radius: 8px; background: none; cursor: pointer; color: inherit; text-decoration: none; touch-action: manipulation; }
  button[hidden] { display: none; }
  .main { background: var(--_accent); color: var(--_on-accent); font-weight: 600; }
  .main:hover { filter: brightness(1.08); }
  .plain { border-color: var(--_border); background: var(--_background); }
  .plain:hover, .tool:hover, .row:hover { background: var(--_raised); }
  .tool { justify-content: center; width: 28px; min-height: 26px; padding: 0; color: var(--_muted); }
  .tool:hover { color: var(--_text); }
  @media (pointer: coarse) {
    button, a { min-height: 40px; }
    .tool { width: 40px; min-height: 34px; }
    .meta { min-height: 28px; padding-inline-end: 120px; }
  }

  .rows { margin: 6px -8px 0; padding: 0; list-style: none; }
  .row { display: flex; align-items: center; gap: 8px; width: 100%; padding: 4px 8px; text-align: start; white-space: nowrap; }
  .named { min-width: 0; overflow: hidden; text-overflow: ellipsis; }
  .dot { flex: none; width: 9px; height: 9px; border: 2px solid var(--_mark); border-radius: 50%; }
  .dot:not([data-priority="low"]) { background: var(--_mark); }
  .dot[data-priority="high"], .dot[data-priority="critical"] { border-radius: 0; }
  .dot[data-priority="critical"] { rotate: 45deg; }
  .dot[data-priority="low"] { border-color: var(--_muted); }

  .foot { display: flex; justify-content: flex-end; gap: 8px; }
  .foot button { pointer-events: auto; box-shadow: var(--_shadow); }
  .aside:empty { display: none; }
  .prompt { --_mark: var(--_accent); --_word: var(--_accent); }
  .prompt .title { margin-top: 0; }
  .said { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
  @media (max-width: 480px) { .region { width: 100%; padding: 12px; } }
  @media (forced-colors: active) {
    .card::before { background: Canvas; }
    .card[data-priority="high"]::before, .card[data-priority="critical"]::before { background: CanvasText; }
    .card[data-priority="critical"] { border-width: 2px; }
    .dot { border-color: CanvasText; }
    .dot:not([data-priority="low"]) { background: CanvasText; }
  }
`;
