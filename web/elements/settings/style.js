// The style of the settings. They adapt to the width of their container: a page, or the bell's dropdown.

export const css = `
  :host { display: block; container-type: inline-size; background: var(--_background); }
  .page { display: grid; gap: 24px; padding: 16px; }
  section[hidden], div[hidden], tbody[hidden], button[hidden] { display: none; }
  h2 { margin: 0 0 4px; font-size: 15px; font-weight: 650; }
  p { margin: 0; }
  .hint, .note { display: block; font-size: 13px; font-weight: 400; color: var(--_muted); }
  .said { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
  .error { color: var(--_overdue); }
  section > .error:not(:empty) { margin-top: 8px; }
  .error:not(:empty)::before { content: "⚠ " / ""; }

  button { min-height: 34px; padding: 4px 12px; border: 1px solid var(--_border); border-radius: 8px; background: var(--_background); cursor: pointer; }
  button:hover { background: var(--_raised); }
  .main { border-color: transparent; background: var(--_accent); color: var(--_on-accent); font-weight: 600; }
  .main:hover { background: var(--_accent); filter: brightness(1.08); }
  .danger { border-color: var(--_overdue); color: var(--_overdue); }
  .actions { display: flex; flex-wrap: wrap; gap: 8px; margin-top: 10px; }
  .actions:has(> [hidden]:only-child) { display: none; }

  input[type="checkbox"] { flex: none; width: 18px; height: 18px; margin: 0; accent-color: var(--_accent); cursor: pointer; }
  input[aria-disabled="true"] { opacity: .45; cursor: not-allowed; }
  .switch { display: flex; gap: 10px; margin-top: 8px; cursor: pointer; }
  .fields { display: grid; grid-template-columns: 1fr 1fr; gap: 12px; margin-top: 12px; }
  .fields label:not(.day) { display: grid; gap: 4px; font-size: 13px; color: var(--_muted); }
  .wide, fieldset { grid-column: 1 / -1; }
  input[type="time"], select { width: 100%; min-height: 36px; padding: 4px 8px; border: 1px solid var(--_border); border-radius: 8px; background: var(--_background); color: var(--_text); }
  fieldset { min-width: 0; margin: 0; padding: 0; border: 0; }
  legend { padding: 0 0 4px; font-size: 13px; color: var(--_muted); }
  .days { display: grid; grid-template-columns: repeat(7, minmax(0, 1fr)); gap: 5px; max-width: 380px; }
  .day { position: relative; display: grid; place-items: center; min-height: 36px; border: 1px solid var(--_border); border-radius: 8px; cursor: pointer; }
  .day input { position: absolute; inset: 0; width: 100%; height: 100%; opacity: 0; }
  .day:has(:checked) { border-color: var(--_accent); background: var(--_accent); color: var(--_on-accent); font-weight: 600; }
  .day:has(:focus-visible) { outline: 2px solid var(--_accent); outline-offset: 2px; }

  table { width: 100%; margin-top: 8px; border-collapse: collapse; }
  th { font-weight: 500; text-align: start; }
  thead :is(th, td) { position: sticky; top: 0; z-index: 1; background: var(--_background); }
  thead th { padding: 4px 2px; font-size: 12px; color: var(--_muted); text-align: center; vertical-align: bottom; }
  tbody tr { border-top: 1px solid var(--_border); }
  tbody th { padding: 4px 8px 4px 0; overflow-wrap: anywhere; hyphens: auto; }
  tbody td { width: 62px; padding: 0; }
  td label { display: grid; place-items: center; min-height: 40px; cursor: pointer; }
  .fold { display: flex; align-items: center; gap: 6px; width: 100%; padding: 4px 4px; border-color: transparent; background: none; font-weight: 600; text-align: start; }
  .fold svg { flex: none; width: 14px; height: 14px; fill: none; stroke: currentColor; stroke-width: 2; rotate: 180deg; transition: rotate 150ms; }
  .fold[aria-expanded="true"] svg { rotate: 270deg; }
  tbody:not(.kinds) .name { padding-inline-start: 24px; font-weight: 600; }
  .kinds th { padding-inline-start: 24px; }
  .kinds tr { background: var(--_raised); }
  @container (max-width: 520px) {
    thead th span { display: inline-block; writing-mode: vertical-rl; rotate: 180deg; }
    tbody td { width: 32px; }
    .fold { gap: 4px; padding-inline: 0; }
    tbody:not(.kinds) .name { padding-inline-start: 18px; }
    .kinds th { padding-inline: 8px 2px; font-size: 13px; }
  }

  .topics { margin: 8px 0 0; padding: 0; list-style: none; }
  .topics li { display: flex; flex-wrap: wrap; align-items: center; gap: 8px; padding: 6px 0; border-top: 1px solid var(--_border); }
  .topics .name { flex: 1 1 140px; min-width: 0; overflow-wrap: anywhere; }

  .foot { position: sticky; bottom: 0; padding: 0 16px; background: var(--_background); font-size: 13px; }
  .foot p:not(:empty) { padding: 8px 0; border-top: 1px solid var(--_border); }
  .saved { color: var(--_good); }
  .broken { display: grid; gap: 8px; justify-items: start; }
  .waiting { display: grid; gap: 14px; }
  .line { height: 18px; border-radius: 6px; background: var(--_raised); animation: wait 1.2s ease-in-out infinite alternate; }
  .line:nth-child(3n) { width: 55%; }
  @keyframes wait { to { opacity: .45; } }

  @media (forced-colors: active) {
    .day:has(:checked) { forced-color-adjust: none; border-color: Highlight; background: Highlight; color: HighlightText; }
    .line { border: 1px solid; }
  }
`;
