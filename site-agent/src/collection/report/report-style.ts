/** Light, dark and printed; no font, picture or script from anywhere. */
export const REPORT_STYLE = `
:root { color-scheme: light dark; --ink: #1c2024; --paper: #fff; --faint: #5b6670; --line: #d5dade; --card: #f5f7f8;
  --bar: #2f6fa3; --ok: #1d7a46; --reported: #8a5a00; --refused: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaec; --paper: #14171a; --faint: #a2abb3; --line: #363c42;
  --card: #1d2226; --bar: #6fb1e4; --ok: #6bcf97; --reported: #e5b04c; --refused: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 76rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.2rem; margin: 2.25rem 0 .5rem; border-bottom: 1px solid var(--line); }
p { max-width: 60rem; margin: .4rem 0; }
.faint, figcaption { color: var(--faint); font-size: .875rem; }
.path { font-family: ui-monospace, monospace; font-size: .85em; overflow-wrap: anywhere; }
table { border-collapse: collapse; margin: .5rem 0; }
th, td { text-align: left; vertical-align: top; padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--line); }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; } .findings { width: 100%; } .findings td:last-child { min-width: 16rem; width: 45%; }
@media (max-width: 40rem) { .findings thead { display: none; } .findings tr { display: block; border-bottom: 1px solid var(--line); }
  .findings td, .findings td.number { display: block; width: auto !important; min-width: 0 !important; border: 0; padding: .1rem 0; text-align: left; }
  .findings td.number::after { content: ' ×'; } }
.wide ul { margin: 0; padding-left: 1.1rem; }
ul.tiles { display: flex; flex-wrap: wrap; gap: .75rem; padding: 0; margin: 1rem 0; list-style: none; }
ul.tiles li { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem 1rem; min-width: 7rem; }
ul.tiles b { display: block; font-size: 1.4rem; line-height: 1.2; }
.ok { color: var(--ok); } .reported { color: var(--reported); } .refused { color: var(--refused); }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 1.5rem; }
.charts figure { margin: 0; } .charts svg { width: 100%; height: auto; display: block; }
.charts rect { fill: var(--bar); } .charts text { fill: var(--faint); font-size: 10px; } .charts path { stroke: var(--line); }
summary { cursor: pointer; padding: .3rem 0; }
summary:focus-visible { outline: 2px solid var(--bar); outline-offset: 2px; }
.montage { display: grid; grid-template-columns: repeat(auto-fill, minmax(18.25rem, 1fr)); gap: 1rem; padding: .25rem 0 1rem; }
.montage figure { margin: 0; padding: .5rem; background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  break-inside: avoid; content-visibility: auto; contain-intrinsic-size: auto 13rem; }
.montage .picture { display: flex; align-items: center; justify-content: center; height: 96px; background: #000; color: #bbb; }
.montage img { display: block; max-width: 100%; height: auto; }
footer { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: .75rem; }
@media print { body { max-width: none; padding: 0; font-size: .8rem; } .montage figure { content-visibility: visible; }
  details::details-content { content-visibility: visible; block-size: auto; } .picture { print-color-adjust: exact; } }
`;
