/** A report as one page that needs nothing else: no request goes out, no script runs. */
import { RESEARCH_NOTE } from '../../collection/report/describe-collection.js';
import { REPORT_STYLE } from '../../collection/report/report-style.js';
import { htmlText } from '../../collection/report/visible-text.js';
import type { Interval } from '../metrics/bootstrap.js';

/** Nothing may be loaded and nothing may run, whatever a case is called. */
const CONTENT_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

const STYLE = `${REPORT_STYLE}
:root { --model: #1f6fb2; --scratch: #b35c00; --second: #6b4fa0; }
@media (prefers-color-scheme: dark) { :root { --model: #74b5ea; --scratch: #f0a24b; --second: #b79ce8; } }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: 1.25rem; }
.chart { margin: 0; } .chart svg { width: 100%; height: auto; display: block; } .chart text { fill: var(--faint); font-size: 10px; }
.chart polyline { fill: none; stroke-width: 1.75; } .chart .grid { stroke: var(--line); stroke-width: .5; } .chart .axis { fill: none; stroke: var(--faint); }
.chart polyline.model { stroke: var(--model); } .chart polyline.scratch { stroke: var(--scratch); } .chart polyline.second { stroke: var(--second); }
.chart polyline.quiet { stroke: var(--faint); stroke-dasharray: 3 3; stroke-width: 1; } .chart polyline.training { stroke: var(--model); stroke-dasharray: 2 3; }
.chart polyline.scratch-training { stroke: var(--scratch); stroke-dasharray: 2 3; }
.chart circle.model { fill: var(--model); } .chart circle.scratch { fill: var(--scratch); } .chart circle.second { fill: var(--second); } .chart circle { fill-opacity: .75; }
.key { display: inline-block; width: 1.1em; height: .3em; vertical-align: middle; margin-right: .35em; background: var(--faint); }
.key.model, .key.training { background: var(--model); } .key.scratch, .key.scratch-training { background: var(--scratch); } .key.second { background: var(--second); }
.key.training { background: repeating-linear-gradient(90deg, var(--model) 0 .2em, transparent .2em .4em); }
.key.scratch-training { background: repeating-linear-gradient(90deg, var(--scratch) 0 .2em, transparent .2em .4em); }
.key.quiet { background: repeating-linear-gradient(90deg, var(--faint) 0 .25em, transparent .25em .425em); height: .1em; }
.digest { overflow-wrap: anywhere; }
.wide th, td.number, td.interval { white-space: nowrap; }
.cases { display: grid; gap: 1rem; } .cases figure { margin: 0; break-inside: avoid; } .cases img { display: block; max-width: 100%; height: auto; background: #000; print-color-adjust: exact; }
td.right { background: color-mix(in srgb, var(--ok) 14%, transparent); }
`;

/** `lead` and `body` are HTML already. */
export function renderPage(title: string, lead: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${CONTENT_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${htmlText(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header><h1>${htmlText(title)}</h1>
<p class="faint">${RESEARCH_NOTE}</p>
${lead}</header>
<main>
${body}
</main>
<footer><p>${RESEARCH_NOTE}</p><p class="faint">Cases are named as the site named them, and pictures of scans are part of this page: it stays at the site. Pass it on only as you would the scans.</p></footer>
</body>
</html>
`;
}

export function section(title: string, body: string): string {
  return `<section><h2>${htmlText(title)}</h2>\n${body}\n</section>`;
}

/**
 * Numbers stand to the right, all of a column with the same digits. A column without a word or a number in any row is left out. Words
 * are words: none of them becomes HTML.
 */
export function table(headers: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const columns = headers.flatMap((header, at): Column[] => {
    const cells = rows.map((row) => row[at] ?? null);
    if (rows.length > 0 && cells.every((value) => value === '')) return [];
    const numbers = cells.filter((value) => typeof value === 'number');
    return [{ header, at, isNumber: numbers.length > 0, isWhole: numbers.every(Number.isInteger) }];
  });
  const cell = (row: readonly Cell[], { at, isNumber, isWhole }: Column): string => {
    const value = row[at] ?? null;
    const text = typeof value === 'string' ? htmlText(value) : isWhole ? figureText(value) : decimalText(value);
    const style = isNumber ? 'number' : typeof value === 'string' && INTERVAL.test(value) ? 'interval' : '';
    return `<td${style === '' ? '' : ` class="${style}"`}>${text}</td>`;
  };
  const head = columns.map(
    ({ header, isNumber }) => `<th scope="col"${isNumber ? ' class="number"' : ''}>${htmlText(header)}</th>`,
  );
  const lines = rows.map((row) => `<tr>${columns.map((column) => cell(row, column)).join('')}</tr>`);
  return `<div class="wide"><table><thead><tr>${head.join('')}</tr></thead>\n<tbody>${lines.join('\n')}</tbody></table></div>`;
}

type Cell = string | number | null;

interface Column {
  readonly header: string;
  readonly at: number;
  readonly isNumber: boolean;
  readonly isWhole: boolean;
}

/** "0.4 to 0.6", which should not be broken. */
const INTERVAL = /^-?[\d.]+ to -?[\d.]+$/;

export function tiles(entries: readonly (readonly [value: string, label: string])[]): string {
  return `<ul class="tiles">${entries.map(([value, label]) => `<li><b>${htmlText(value)}</b>${htmlText(label)}</li>`).join('')}</ul>`;
}

/** Which model a page is about. */
export function modelLine(model: string | null, folds: readonly unknown[] | undefined): string {
  const words = folds === undefined ? `Model ${model}` : `${folds.length} models, one of each fold`;
  return `<p class="faint digest">${htmlText(words)}</p>`;
}

export const FOLDS_NOTE = `<p>Each case was scored by the model of its fold, which neither trained on it nor was chosen by it. Intervals draw
the patients of all folds; they do not tell how much another division or another training would change.</p>`;

/** Cases without a score, with the reason; empty when there are none. */
export function refusedSection({
  refused,
}: {
  readonly refused: readonly { readonly name: string; readonly reason: string }[];
}): string {
  if (refused.length === 0) return '';
  const rows = refused.map(({ name, reason }) => [name, reason]);
  return section('Could not be scored', table(['Case', 'Why'], rows));
}

/** Three digits behind the point, none of a whole number; a dash for a figure that does not exist. */
export function figureText(value: number | null): string {
  return Number.isInteger(value) ? String(value) : decimalText(value);
}

function decimalText(value: number | null): string {
  return value === null || !Number.isFinite(value) ? '–' : value.toFixed(3);
}

/** "0.812 (0.700 to 0.900)": a figure with its 95 % interval, where there is one. */
export function withInterval(value: number | null, interval: Interval | null): string {
  return interval === null ? figureText(value) : `${figureText(value)} (${intervalText(interval)})`;
}

export function intervalText(interval: Interval | null): string {
  return interval === null ? '–' : `${figureText(interval.low)} to ${figureText(interval.high)}`;
}
