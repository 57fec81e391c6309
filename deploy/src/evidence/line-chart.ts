/** A line chart as an SVG text: plain shapes and text that any browser and any repository page shows, and that diffs well. */

export interface Series {
  readonly name: string;
  /** x, y and half the height of an error bar, if any. */
  readonly points: readonly { readonly x: number; readonly y: number; readonly spread?: number | undefined }[];
}

export interface ChartPlan {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** Label counts stand evenly apart on a logarithmic axis. */
  readonly logarithmicX?: boolean;
  readonly series: readonly Series[];
}

const [WIDTH, HEIGHT] = [720, 420];
const MARGIN = { left: 64, right: 200, top: 40, bottom: 52 };
/** Told apart by people who see red and green alike (Okabe and Ito, 2008). */
const COLOURS = ['#000000', '#999999', '#e69f00', '#56b4e9', '#009e73', '#0072b2', '#d55e00', '#cc79a7', '#8c6d31', '#5254a3'];

/** Two decimals are below a pixel's tenth: the same figures give the same text. */
export function lineChart({ title, xLabel, yLabel, logarithmicX = false, series }: ChartPlan): string {
  const points = series.flatMap((one) => one.points);
  const x = axis(
    points.map((point) => point.x),
    [MARGIN.left, WIDTH - MARGIN.right],
    logarithmicX,
  );
  const extremes = points.flatMap(({ y: value, spread = 0 }) => [value - spread, value + spread]);
  const y = axis(extremes, [HEIGHT - MARGIN.bottom, MARGIN.top], false);
  const parts = [
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    text(MARGIN.left, 22, title, 'font-size="15" font-weight="bold"'),
    ...y.ticks.map((tick) => gridLine(y.place(tick), shown(tick))),
    ...[...new Set(logarithmicX ? points.map((point) => point.x) : x.ticks)].map((tick) => xTick(x.place(tick), shown(tick))),
    text((MARGIN.left + WIDTH - MARGIN.right) / 2, HEIGHT - 12, xLabel, 'text-anchor="middle"'),
    `<text transform="translate(16 ${number((MARGIN.top + HEIGHT - MARGIN.bottom) / 2)}) rotate(-90)" text-anchor="middle">${escaped(yLabel)}</text>`,
    ...series.flatMap((one, index) => drawn(one, index, x.place, y.place)),
  ];
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" role="img">`;
  return `${head}\n<title>${escaped(title)}</title>\n${parts.join('\n')}\n</svg>\n`;
}

function drawn({ name, points }: Series, index: number, atX: Place, atY: Place): string[] {
  const colour = COLOURS[index % COLOURS.length] as string;
  const path = points.map(({ x, y }) => `${number(atX(x))},${number(atY(y))}`).join(' ');
  const legendY = MARGIN.top + 10 + index * 18;
  const legendX = WIDTH - MARGIN.right + 16;
  return [
    `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="1.8"/>`,
    ...points.flatMap(({ x, y, spread }) => [
      `<circle cx="${number(atX(x))}" cy="${number(atY(y))}" r="3" fill="${colour}"/>`,
      ...(spread === undefined || !Number.isFinite(spread)
        ? []
        : [line(atX(x), atY(y - spread), atX(x), atY(y + spread), `stroke="${colour}" stroke-width="1"`)]),
    ]),
    line(legendX, legendY - 4, legendX + 18, legendY - 4, `stroke="${colour}" stroke-width="2.5"`),
    text(legendX + 24, legendY, name),
  ];
}

type Place = (value: number) => number;

function axis(
  values: readonly number[],
  [from, to]: readonly [number, number],
  logarithmic: boolean,
): { place: Place; ticks: number[] } {
  const scale = logarithmic ? Math.log : (value: number): number => value;
  const finite = values.filter(Number.isFinite);
  const [least, most] = finite.length === 0 ? [0, 1] : [Math.min(...finite), Math.max(...finite)];
  const padding = logarithmic ? 0 : 0.05 * (most - least || 1);
  const [low, high] = [scale(least) - padding, scale(most) + padding];
  const place: Place = (value) => from + ((scale(value) - low) / (high - low || 1)) * (to - from);
  return { place, ticks: logarithmic ? [] : ticksBetween(low, high) };
}

/** About five round numbers. */
function ticksBetween(low: number, high: number): number[] {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough) ?? rough;
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, index) => (first + index) * step);
}

function gridLine(y: number, label: string): string {
  const rule = line(MARGIN.left, y, WIDTH - MARGIN.right, y, 'stroke="#dddddd"');
  return `${rule}${text(MARGIN.left - 8, y + 4, label, 'text-anchor="end"')}`;
}

function xTick(x: number, label: string): string {
  const bottom = HEIGHT - MARGIN.bottom;
  return `${line(x, bottom, x, bottom + 5, 'stroke="#666666"')}${text(x, bottom + 18, label, 'text-anchor="middle"')}`;
}

function line(x1: number, y1: number, x2: number, y2: number, style: string): string {
  return `<line x1="${number(x1)}" y1="${number(y1)}" x2="${number(x2)}" y2="${number(y2)}" ${style}/>`;
}

function text(x: number, y: number, words: string, style = ''): string {
  return `<text x="${number(x)}" y="${number(y)}"${style === '' ? '' : ` ${style}`}>${escaped(words)}</text>`;
}

function number(value: number): string {
  return String(Math.round(value * 100) / 100);
}

function shown(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function escaped(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
