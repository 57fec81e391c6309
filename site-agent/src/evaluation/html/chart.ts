/** Small charts as inline SVG: axes with a few round marks, lines, points. No script and no file from elsewhere. */
import { htmlText } from '../../collection/report/visible-text.js';

export interface ChartLine {
  readonly name: string;
  /** Class in the page's style: its colour and dashes. */
  readonly style: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** A line when left out. */
  readonly drawn?: 'line' | 'dots' | 'line and dots';
  /** Shown when a pointer rests on a dot; the line's name when left out. */
  readonly labels?: readonly string[];
}

export interface Chart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly lines: readonly ChartLine[];
  /** What the data spans when left out. */
  readonly xRange?: readonly [number, number];
  readonly yRange?: readonly [number, number];
}

const [WIDTH, HEIGHT] = [360, 230];
const EDGE = { left: 44, right: 10, top: 8, bottom: 34 } as const;

export function chartFigure(chart: Chart): string {
  const points = chart.lines.flatMap((line) => line.points);
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  const [xRange, yRange] = [chart.xRange ?? spanOf(xs), chart.yRange ?? spanOf(ys)];
  const place = placeWithin(xRange, yRange);
  const legend = chart.lines.map((line) => `<span class="key ${line.style}"></span>${htmlText(line.name)}`).join(' &nbsp; ');
  return `<figure class="chart"><figcaption><b>${htmlText(chart.title)}</b><br>${legend}</figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${htmlText(`${chart.title}: ${chart.yLabel} over ${chart.xLabel}`)}">
${axes(xRange, yRange, place)}
<text x="${(EDGE.left + WIDTH - EDGE.right) / 2}" y="${HEIGHT - 4}" text-anchor="middle">${htmlText(chart.xLabel)}</text>
<text transform="translate(11 ${(EDGE.top + HEIGHT - EDGE.bottom) / 2}) rotate(-90)" text-anchor="middle">${htmlText(chart.yLabel)}</text>
${chart.lines.map((line) => drawLine(line, place)).join('\n')}
</svg></figure>`;
}

type Place = (point: readonly [number, number]) => [x: number, y: number];
type Range = readonly [number, number];

function placeWithin([x0, x1]: Range, [y0, y1]: Range): Place {
  const [width, height] = [WIDTH - EDGE.left - EDGE.right, HEIGHT - EDGE.top - EDGE.bottom];
  const share = (value: number, from: number, to: number): number => (to > from ? (value - from) / (to - from) : 0.5);
  return ([x, y]) => [EDGE.left + width * share(x, x0, x1), EDGE.top + height * (1 - share(y, y0, y1))];
}

function drawLine({ name, style, points, drawn = 'line', labels }: ChartLine, place: Place): string {
  const placed = points.map((point) => place(point).map((value) => value.toFixed(1)));
  const line =
    drawn === 'dots' ? '' : `<polyline class="${style}" points="${placed.map((point) => point.join(',')).join(' ')}"/>`;
  if (drawn === 'line' && points.length !== 1) return points.length === 0 ? '' : line; // one point is no line
  const circles = placed.map(([x, y], index) => {
    return `<circle class="${style}" cx="${x}" cy="${y}" r="2.5"><title>${htmlText(labels?.[index] ?? name)}</title></circle>`;
  });
  return line + circles.join('');
}

function axes(xRange: Range, yRange: Range, place: Place): string {
  const [left, bottom] = place([xRange[0], yRange[0]]);
  const [right, top] = place([xRange[1], yRange[1]]);
  const across = marksIn(xRange).map((mark) => {
    const [x] = place([mark, yRange[0]]);
    return `<path class="grid" d="M${x.toFixed(1)} ${top}V${bottom}"/><text x="${x.toFixed(1)}" y="${bottom + 12}" text-anchor="middle">${numberText(mark)}</text>`;
  });
  const up = marksIn(yRange).map((mark) => {
    const [, y] = place([xRange[0], mark]);
    return `<path class="grid" d="M${left} ${y.toFixed(1)}H${right}"/><text x="${left - 4}" y="${(y + 3).toFixed(1)}" text-anchor="end">${numberText(mark)}</text>`;
  });
  return `${across.join('')}${up.join('')}<path class="axis" d="M${left} ${top}V${bottom}H${right}"/>`;
}

/** Four or five round numbers. */
export function marksIn([from, to]: Range): number[] {
  const raw = (to - from) / 4;
  if (!(raw > 0)) return [from];
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= raw * 0.999) ?? 10) * power;
  const first = Math.ceil(from / step - 1e-9);
  const last = Math.floor(to / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
}

function spanOf(values: readonly number[]): Range {
  if (values.length === 0) return [0, 1];
  return [Math.min(...values), Math.max(...values)];
}

export function numberText(value: number): string {
  return String(Number(value.toPrecision(3)));
}
