import type { Bar, Histogram } from './histograms.js';
import { htmlText } from './visible-text.js';

const WIDTH = 320;
const HEIGHT = 120;
const FOOT = 16;

/**
 * A histogram as inline SVG; its numbers follow as a table for readers who cannot see it. Curves grow with the square root, so
 * that tissue shows beside much air.
 */
export function chartFigure(histogram: Histogram): string {
  const { title, counted, bars, form } = histogram;
  const highest = Math.max(...bars.map(({ value }) => value));
  const step = WIDTH / bars.length;
  const rects = bars
    .map(({ label, value }, index) =>
      barRect({ label, value }, { left: index * step, width: step - 1, height: heightOf(value, highest, form) }),
    )
    .join('');
  return `<figure>
<figcaption><b>${htmlText(title)}</b><br>${htmlText(counted)}${form === 'curve' ? '; heights grow with the square root' : ''}</figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT + FOOT}" role="img" aria-label="${htmlText(`Histogram: ${title}. The numbers follow below.`)}">
<path d="M0 ${HEIGHT}.5H${WIDTH}"/>${rects}
${axis(histogram)}
</svg>
<details><summary>Numbers</summary>${numberTable(histogram)}</details>
</figure>`;
}

/** Under bars of unequal ranges, where each begins; under a curve, its ends. */
function axis({ form, bars, ends: [first, last] }: Histogram): string {
  const y = HEIGHT + 12;
  if (form === 'curve') {
    return `<text x="0" y="${y}">${htmlText(first)}</text><text x="${WIDTH}" y="${y}" text-anchor="end">${htmlText(last)}</text>`;
  }
  const step = WIDTH / bars.length;
  return bars
    .map(({ label }, index) => `<text x="${(index * step).toFixed(1)}" y="${y}">${htmlText(label.split(' ', 1).join(''))}</text>`)
    .join('');
}

function heightOf(value: number, highest: number, form: Histogram['form']): number {
  if (value <= 0) return 0;
  const share = value / highest;
  return Math.max(1, (form === 'curve' ? Math.sqrt(share) : share) * (HEIGHT - 4));
}

function barRect({ label, value }: Bar, { left, width, height }: { left: number; width: number; height: number }): string {
  if (height === 0) return '';
  const box = `x="${left.toFixed(1)}" y="${(HEIGHT - height).toFixed(1)}" width="${width.toFixed(1)}" height="${height.toFixed(1)}"`;
  return `<rect ${box}><title>${htmlText(`${label}: ${numberText(value)}`)}</title></rect>`;
}

function numberTable({ counted, bars }: Histogram): string {
  const rows = bars.map(
    ({ label, value }) => `<tr><th scope="row">${htmlText(label)}</th><td class="number">${numberText(value)}</td></tr>`,
  );
  return `<table><thead><tr><th scope="col">from … to</th><th scope="col" class="number">${htmlText(counted)}</th></tr></thead><tbody>${rows.join('')}</tbody></table>`;
}

function numberText(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(2);
}
