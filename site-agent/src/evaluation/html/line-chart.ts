/** Line charts as SVG files that stand alone: plain shapes and text that any browser and any repository page shows. */
import { htmlText } from '../../collection/report/visible-text.js';
import { marksIn, numberText } from './chart.js';

export interface Series {
  readonly name: string;
  readonly points: readonly SeriesPoint[];
  /** Which of the colours and dashes it has, so that it looks the same in each chart; its place in this one when left out. */
  readonly look?: number;
}

export interface SeriesPoint {
  readonly x: number;
  readonly y: number;
  /** Half the height of an error bar; none when left out or not finite. */
  readonly spread?: number | undefined;
}

export interface LineChart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** A logarithmic axis whose marks are the points' own. */
  readonly logarithmicX?: boolean;
  readonly series: readonly Series[];
}

const [WIDTH, HEIGHT] = [720, 420];
const EDGE = { left: 64, right: 200, top: 40, bottom: 52 } as const;
/** Told apart by people who see red and green alike (Okabe and Ito, 2008). */
const COLOURS = ['#000000', '#999999', '#e69f00', '#56b4e9', '#009e73', '#0072b2', '#d55e00', '#cc79a7', '#8c6d31', '#5254a3'];

/** After the last colour the first comes again, dashed. */
const DASHES = ['', '6 3', '2 3'];

/** Charts one below the other in one file; the same figures give the same text. */
export function chartFile(title: string, charts: readonly LineChart[]): string {
  const height = HEIGHT * charts.length;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12" role="img">`,
    `<title>${htmlText(title)}</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    ...charts.map((chart, index) => `<svg y="${HEIGHT * index}" width="${WIDTH}" height="${HEIGHT}">\n${drawn(chart)}\n</svg>`),
    '</svg>\n',
  ].join('\n');
}

function drawn({ title, xLabel, yLabel, logarithmicX = false, series }: LineChart): string {
  const points = series.flatMap((one) => one.points);
  const xs = points.map(({ x }) => x);
  const x = axis(xs, [EDGE.left, WIDTH - EDGE.right], logarithmicX ? 'logarithmic' : 'linear');
  const ys = points.flatMap(({ y, spread }) => [y - finite(spread), y + finite(spread)]);
  const y = axis(ys, [HEIGHT - EDGE.bottom, EDGE.top], 'padded');
  const [middleX, middleY] = [(EDGE.left + WIDTH - EDGE.right) / 2, (EDGE.top + HEIGHT - EDGE.bottom) / 2];
  return [
    text(EDGE.left, 22, title, 'font-size="15" font-weight="bold"'),
    ...y.marks.map((mark) => gridLine(y.place(mark), numberText(mark))),
    ...(logarithmicX ? [...new Set(xs)] : x.marks).map((mark) => markBelow(x.place(mark), numberText(mark))),
    text(middleX, HEIGHT - 12, xLabel, 'text-anchor="middle"'),
    `<text transform="translate(16 ${rounded(middleY)}) rotate(-90)" text-anchor="middle">${htmlText(yLabel)}</text>`,
    ...series.flatMap((one, index) => drawSeries(one, index, x.place, y.place)),
  ].join('\n');
}

function drawSeries({ name, points, look }: Series, index: number, atX: Place, atY: Place): string[] {
  const { colour, dash } = lookOf(look ?? index);
  const path = points.map(({ x, y }) => `${rounded(atX(x))},${rounded(atY(y))}`).join(' ');
  const [legendX, legendY] = [WIDTH - EDGE.right + 16, EDGE.top + 10 + index * 18];
  return [
    `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="1.8"${dash}/>`,
    ...points.flatMap(({ x, y, spread }) => [
      `<circle cx="${rounded(atX(x))}" cy="${rounded(atY(y))}" r="2.5" fill="${colour}"/>`,
      ...(finite(spread) === 0 ? [] : [line([atX(x), atY(y - finite(spread))], [atX(x), atY(y + finite(spread))], colour)]),
    ]),
    line([legendX, legendY - 4], [legendX + 18, legendY - 4], colour, dash),
    text(legendX + 24, legendY, name),
  ];
}

function lookOf(look: number): { readonly colour: string; readonly dash: string } {
  const dash = DASHES[Math.floor(look / COLOURS.length) % DASHES.length];
  return {
    colour: COLOURS[look % COLOURS.length] as string,
    dash: dash === '' ? '' : ` stroke-dasharray="${dash}"`,
  };
}

type Place = (value: number) => number;
type Point = readonly [x: number, y: number];

function axis(
  values: readonly number[],
  [from, to]: readonly [number, number],
  kind: 'linear' | 'logarithmic' | 'padded',
): { readonly place: Place; readonly marks: readonly number[] } {
  const scale = kind === 'logarithmic' ? Math.log : (value: number): number => value;
  const known = values.length === 0 ? [0, 1] : values;
  const [least, most] = [scale(Math.min(...known)), scale(Math.max(...known))];
  const padding = kind === 'padded' ? 0.05 * (most - least || 1) : 0;
  const [low, high] = [least - padding, most + padding];
  const place: Place = (value) => (high > low ? from + ((scale(value) - low) / (high - low)) * (to - from) : (from + to) / 2);
  return { place, marks: kind === 'logarithmic' ? [] : marksIn([low, high]) };
}

function gridLine(y: number, label: string): string {
  return line([EDGE.left, y], [WIDTH - EDGE.right, y], '#dddddd') + text(EDGE.left - 8, y + 4, label, 'text-anchor="end"');
}

function markBelow(x: number, label: string): string {
  const bottom = HEIGHT - EDGE.bottom;
  return line([x, bottom], [x, bottom + 5], '#666666') + text(x, bottom + 18, label, 'text-anchor="middle"');
}

function line([x1, y1]: Point, [x2, y2]: Point, colour: string, dash = ''): string {
  return `<line x1="${rounded(x1)}" y1="${rounded(y1)}" x2="${rounded(x2)}" y2="${rounded(y2)}" stroke="${colour}"${dash}/>`;
}

function text(x: number, y: number, words: string, style = ''): string {
  return `<text x="${rounded(x)}" y="${rounded(y)}"${style === '' ? '' : ` ${style}`}>${htmlText(words)}</text>`;
}

function finite(spread: number | undefined): number {
  return spread !== undefined && Number.isFinite(spread) ? spread : 0;
}

/** Finer than a screen's pixel. */
function rounded(value: number): string {
  return String(Math.round(value * 100) / 100);
}
