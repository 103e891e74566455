// How the button and the dropdown look. The items are in styles-list.js.

import { sheet } from "../dom.js";
import { list } from "./styles-list.js";

const frame = sheet(`
  :host { display: inline-block; -webkit-tap-highlight-color: transparent; --_width: min(var(--tidings-width, 420px), 100vw - 16px); }
  [hidden] { display: none !important; }
  h2, h3, p, ul, dl, dd { margin: 0; padding: 0; }
  svg { width: 20px; height: 20px; flex: none; fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round; }
  .aside { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

  .bell { position: relative; display: grid; place-items: center; width: 40px; height: 40px; padding: 0; border: 0; border-radius: 50%; background: none; cursor: pointer; }
  .bell:hover, .bell[aria-expanded=true] { background: color-mix(in srgb, currentColor 10%, transparent); }
  .bell svg { width: 24px; height: 24px; }
  .bell.away svg { opacity: .55; }
  .bell.away::after {
    content: ""; position: absolute; right: 6px; bottom: 6px; width: 10px; height: 10px; border-radius: 50%;
    background: var(--_background); border: 2px solid var(--_muted);
  }
  .badge {
    position: absolute; top: 1px; left: 50%; min-width: 18px; height: 18px; padding: 0 5px; border-radius: 9px;
    background: var(--_badge); color: var(--tidings-on-badge, light-dark(#ffffff, #1c0503)); font-size: 11px; font-weight: 700; line-height: 18px; text-align: center;
    box-shadow: 0 0 0 2px var(--tidings-behind, var(--_background));
  }

  .panel {
    position: fixed; inset: auto; margin: 0; padding: 0; width: var(--_width); height: min(var(--tidings-height, 640px), 100dvh - var(--_offset) - 16px); min-height: min(320px, 100dvh - 16px);
    top: min(var(--_offset) + 6px, 100dvh - min(320px, 100dvh - 16px) - 8px);
    right: clamp(8px, var(--_edge), 100vw - var(--_width) - 8px);
    border: 1px solid var(--_border); border-radius: var(--_radius); background: var(--_background); color: var(--_text); box-shadow: var(--_shadow);
    flex-direction: column; overflow: hidden; overscroll-behavior: contain; outline: none;
  }
  .panel.left { right: auto; left: clamp(8px, var(--_edge), 100vw - var(--_width) - 8px); }
  .panel.up { top: auto; bottom: min(var(--_offset) + 6px, 100dvh - min(320px, 100dvh - 16px) - 8px); }
  .panel:popover-open { display: flex; animation: tidings-unfold .14s ease-out; }
  @keyframes tidings-unfold { from { opacity: 0; transform: translateY(-6px); } }
  .view { display: flex; flex-direction: column; flex: 1; min-height: 0; }

  .head { display: flex; align-items: center; gap: 2px; padding: 12px 10px 8px 16px; }
  .head h2 { flex: 1; font-size: 17px; font-weight: 650; letter-spacing: -.01em; }
  .settings-head { padding-left: 8px; gap: 6px; border-bottom: 1px solid var(--_border); }
  .tool { display: grid; place-items: center; width: 34px; height: 34px; padding: 0; border: 0; border-radius: 8px; background: none; color: var(--_muted); cursor: pointer; }
  .tool:hover { background: color-mix(in srgb, var(--_text) 9%, transparent); color: var(--_text); }
  .tool[aria-disabled=true] { opacity: .4; cursor: default; background: none; }
  .head .close { display: none; }

  .tabs { display: flex; gap: 18px; padding: 0 16px; border-bottom: 1px solid var(--_border); }
  .tab { display: flex; align-items: center; gap: 6px; margin-bottom: -1px; padding: 8px 1px; border: 0; border-bottom: 2px solid transparent; background: none; color: var(--_muted); font-weight: 550; cursor: pointer; }
  .tab:hover { color: var(--_text); }
  .tab[aria-selected=true] { border-color: var(--_accent); color: var(--_text); }
  .count { min-width: 20px; padding: 0 6px; border-radius: 10px; background: color-mix(in srgb, var(--_text) 9%, var(--_background)); font-size: 12px; line-height: 20px; text-align: center; }

  .filters { display: flex; align-items: center; gap: 8px; padding: 10px 16px; }
  .select {
    appearance: none; min-width: 0; max-width: 45%; padding: 4px 26px 4px 11px; border: 1px solid var(--_border); border-radius: 999px; color: var(--_text); font-size: 13px; cursor: pointer; text-overflow: ellipsis;
    background: linear-gradient(45deg, transparent 50%, var(--_muted) 50%) calc(100% - 15px) 50% / 5px 5px no-repeat, linear-gradient(-45deg, transparent 50%, var(--_muted) 50%) calc(100% - 10px) 50% / 5px 5px no-repeat, var(--_background);
  }
  .select option { background: var(--_background); color: var(--_text); }
  .select.chosen { border-color: var(--_accent); background-color: color-mix(in srgb, var(--_accent) 12%, var(--_background)); }
  .link { padding: 4px 2px; border: 0; background: none; color: var(--_accent); font-size: 13px; font-weight: 550; white-space: nowrap; cursor: pointer; }
  .link:hover { text-decoration: underline; }

  .scroller { flex: 1; min-height: 0; overflow-y: auto; overscroll-behavior: contain; scroll-padding: 36px 0 8px; scrollbar-width: thin; outline: none; }
  .notice {
    display: flex; align-items: center; gap: 8px; padding: 6px 8px 6px 16px; border-top: 1px solid var(--_overdue);
    background: color-mix(in srgb, var(--_overdue) 10%, var(--_background)); color: var(--_overdue); font-size: 13px;
  }
  .notice span { flex: 1; }

  .foot { padding: 7px 16px; border-top: 1px solid var(--_border); color: var(--_muted); font-size: 12.5px; display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: 2px 12px; }
  .connection { display: flex; align-items: center; gap: 7px; min-height: 24px; flex-wrap: wrap; }
  .connection .link { font-size: 12.5px; padding: 0 2px; }
  .lamp { width: 8px; height: 8px; border-radius: 50%; background: var(--_muted); }
  [data-connection=live] .lamp { background: var(--_good); }
  [data-connection=catchingUp] .lamp, [data-connection=connecting] .lamp { background: var(--_due); animation: tidings-breathe 1.2s ease-in-out infinite alternate; }
  [data-connection=offline] .lamp, [data-connection=expired] .lamp { background: var(--_overdue); }
  @keyframes tidings-breathe { from { opacity: .35; } }
  .keys[open] { flex-basis: 100%; }
  .keys summary { cursor: pointer; padding: 3px 0; border-radius: 4px; }
  .keys dl { display: grid; grid-template-columns: 1fr 1fr; gap: 5px 18px; padding: 8px 0 5px; }
  .keys dl div { display: flex; align-items: baseline; gap: 8px; }
  .keys dt { display: flex; gap: 4px; }
  kbd { padding: 0 5px; border: 1px solid var(--_border); border-bottom-width: 2px; border-radius: 4px; background: var(--_raised); color: var(--_text); font: inherit; font-size: 11.5px; }

  .menu { position: fixed; inset: auto; margin: 0; width: min(280px, 100vw - 16px); padding: 6px; border: 1px solid var(--_border); border-radius: calc(var(--_radius) - 2px); background: var(--_background); color: var(--_text); box-shadow: var(--_shadow); }
  .choice { display: flex; justify-content: space-between; gap: 12px; width: 100%; padding: 8px 10px; border: 0; border-radius: 7px; background: none; text-align: start; cursor: pointer; }
  .choice:hover, .choice:focus-visible { background: color-mix(in srgb, var(--_text) 8%, transparent); }
  .when { color: var(--_muted); font-size: 13px; }
  .menu form { display: grid; gap: 8px; margin-top: 6px; padding: 10px 10px 6px; border-top: 1px solid var(--_border); }
  .menu label { display: grid; gap: 5px; font-size: 13px; color: var(--_muted); min-width: 0; }
  .menu input { width: 100%; min-width: 0; height: 32px; padding: 0 6px; border: 1px solid var(--_border); border-radius: 7px; background: var(--_background); color: var(--_text); font-size: 13px; }
  .error { color: var(--_overdue); font-size: 13px; }
  .error:empty { display: none; }

  @media (max-width: 480px) {
    .panel, .panel.left, .panel.up { inset: 0; width: 100vw; max-width: none; height: 100dvh; max-height: none; border: 0; border-radius: 0; }
    .head .close { display: grid; }
    .tool { width: 40px; height: 40px; }
    .tab { padding: 11px 1px; }
    .select { padding-block: 8px; }
  }
  @media (forced-colors: active) {
    .badge, .lamp { forced-color-adjust: none; }
    .tab { margin-bottom: 0; border-bottom-width: 4px; border-color: Canvas; background: Canvas; }
    .tab[aria-selected=true] { border-color: Highlight; }
    .tool[aria-disabled=true] { color: GrayText; opacity: 1; }
    .select { appearance: auto; background: Field; }
    .select.chosen { border: 2px solid Highlight; }
    .count { border: 1px solid; }
  }
  @media (hover: none) { .keys { display: none; } }
`);

export const styles = [frame, list];
