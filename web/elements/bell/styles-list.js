// The style of the items, and of the texts instead of items.

import { sheet } from "../dom.js";

export const list = sheet(`
  .day { position: sticky; top: 0; z-index: 2; padding: 7px 16px 5px; background: var(--_background); color: var(--_muted); font-size: 12px; font-weight: 600; }
  ul { list-style: none; }
  .row {
    --_tone: var(--_accent); --_tint: var(--_tone);
    position: relative; display: grid; grid-template-columns: 36px 1fr; gap: 0 12px; padding: 11px 16px 12px 14px; border-inline-start: 3px solid transparent;
    content-visibility: auto; contain-intrinsic-size: auto 96px;
  }
  .row.missed { --_tone: var(--_missed); }
  .row.due { --_tone: var(--_due); --_tint: light-dark(color-mix(in oklab, var(--_due) 20%, #ffc21a), var(--_due)); }
  .row.overdue, .row.critical { --_tone: var(--_overdue); }
  .row:is(.missed, .due, .overdue, .critical) { border-inline-start-color: var(--_tint); }
  .row:is(.missed, .due, .overdue, .critical).unread { background: color-mix(in srgb, var(--_tint) 7%, var(--_background)); }
  .row:hover { background: color-mix(in srgb, var(--_text) 5%, var(--_background)); }
  .row:not(:last-child)::after { content: ""; position: absolute; inset-block-end: 0; inset-inline: 62px 0; border-bottom: 1px solid var(--_border); }
  .icon { display: grid; place-items: center; width: 36px; height: 36px; border-radius: 50%; background: color-mix(in srgb, var(--_tint) 14%, var(--_background)); color: var(--_tone); }
  .row:not(.unread, .due, .overdue) .icon { background: var(--_raised); color: var(--_muted); }
  .row.missed .icon { color: var(--_missed) !important; }
  .content { min-width: 0; padding-inline-end: 16px; }
  .open { display: block; color: inherit; text-decoration: none; cursor: pointer; outline: none; overflow-wrap: anywhere; }
  .open::before { content: ""; position: absolute; inset: 0; }
  .open:focus-visible::before { outline: 2px solid var(--_accent); outline-offset: -3px; border-radius: 6px; }
  .row .title { font-weight: 450; color: var(--_muted); }
  .row :is(.title, .message) { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 3; overflow: hidden; }
  .row.expanded :is(.title, .message) { display: block; }
  .unread .title { font-weight: 620; color: var(--_text); }
  .unread .content::after { content: ""; position: absolute; top: 16px; inset-inline-end: 14px; width: 9px; height: 9px; border-radius: 50%; background: var(--_accent); }
  .message { margin-top: 1px; color: var(--_muted); overflow-wrap: anywhere; white-space: pre-line; }
  .unread .message { color: color-mix(in srgb, var(--_text) 80%, var(--_background)); }
  .image { float: inline-end; width: 56px; height: 56px; margin: 2px 6px 4px 12px; border-radius: 8px; object-fit: cover; background: var(--_raised); }
  .line { display: flex; align-items: center; gap: 8px; min-height: 24px; margin-top: 3px; }
  .facts { flex: 1; min-width: 0; display: flex; flex-wrap: wrap; align-items: center; gap: 3px 8px; color: var(--_muted); font-size: 12.5px; }
  .facts > span:empty { display: none; }
  .facts > :not(.chip, [hidden], :empty) ~ time::before { content: "·"; margin-inline-end: 8px; }
  .chip { padding: 1px 8px; border-radius: 999px; background: color-mix(in srgb, var(--_text) 8%, var(--_background)); color: var(--_text); font-size: 12px; font-weight: 550; white-space: nowrap; max-width: 100%; overflow: hidden; text-overflow: ellipsis; }
  .due .by { background: color-mix(in srgb, var(--_tint) 24%, var(--_background)); color: var(--_due); }
  .overdue .by, .chip.urgent { background: color-mix(in srgb, var(--_overdue) 12%, var(--_background)); color: var(--_overdue); }
  .buttons { display: flex; flex-wrap: wrap; gap: 6px; margin-top: 8px; position: relative; width: fit-content; }
  .buttons:not(:has(> :not([hidden]))) { display: none; }
  .button { padding: 4px 12px; border: 1px solid var(--_border); border-radius: 8px; background: var(--_background); color: var(--_text); font-size: 13px; font-weight: 550; line-height: 20px; text-decoration: none; cursor: pointer; }
  .button:hover { border-color: var(--_muted); }
  .button.primary, .row:is(.missed, .due, .overdue, .critical) .action { border-color: var(--_accent); background: var(--_accent); color: var(--_on-accent); }
  .button:is(.primary, .action):hover { filter: brightness(1.08); }

  .tools { position: relative; display: flex; margin-block: -3px; margin-inline-end: -12px; opacity: 0; pointer-events: none; }
  .row:is(:hover, :focus-within) .tools { opacity: 1; pointer-events: auto; }
  .tools .tool { width: 30px; height: 30px; }
  .tools svg { width: 18px; height: 18px; }
  @media (hover: none) {
    .tools { opacity: 1; pointer-events: auto; }
    .tools .tool { width: 40px; height: 36px; }
  }

  .after { padding-bottom: 4px; }
  .end { padding: 16px; color: var(--_muted); font-size: 13px; text-align: center; }
  .notable { display: grid; justify-items: center; gap: 6px; padding: 56px 32px; color: var(--_muted); text-align: center; }
  .days:not(:empty) + .after .notable { padding-block: 20px; }
  .notable svg { width: 40px; height: 40px; stroke-width: 1.3; margin-bottom: 6px; }
  .notable .title { color: var(--_text); font-weight: 600; font-size: 15px; }
  .notable .button { margin-top: 8px; }
  .bone { display: grid; grid-template-columns: 36px 1fr; grid-template-rows: 36px; gap: 0 12px; padding: 12px 16px 16px; }
  .bone > * { border-radius: 6px; background: color-mix(in srgb, var(--_text) 10%, var(--_background)); animation: tidings-breathe 1s ease-in-out infinite alternate; }
  .bone i { grid-row: 1 / 3; width: 36px; height: 36px; border-radius: 50%; }
  .bone b { height: 12px; width: 60%; align-self: start; margin-top: 3px; }
  .bone b + b { width: 88%; margin: -14px 0 0; }

  /* The browser's own colours take the place of all others, of transparent borders too. */
  @media (forced-colors: active) {
    .row { border-inline-start-color: Canvas; }
    .row:is(.missed, .due, .overdue, .critical) { border-inline-start-color: CanvasText; }
    .unread .content::after { background: CanvasText; }
    .chip, .bone > * { border: 1px solid; }
  }
`);
