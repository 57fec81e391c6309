import { chartFile, type LineChart } from './line-chart.js';

const lineChart = (chart: LineChart) => chartFile(chart.title, [chart]);

const plan = {
  title: 'Dice & labels <5',
  xLabel: 'labels',
  yLabel: 'Dice',
  logarithmicX: true,
  series: [
    { name: 'scratch', points: [5, 10, 40].map((x, index) => ({ x, y: 0.5 + 0.1 * index, spread: 0.02 })) },
    { name: 'pretrained', points: [{ x: 5, y: 0.7, spread: NaN }] },
  ],
};

describe('a line chart', () => {
  const svg = lineChart(plan);

  it('draws each series with its points, and a bar where there is a spread', () => {
    expect(svg.match(/<polyline /g)).toHaveLength(2);
    expect(svg.match(/<circle /g)).toHaveLength(4);
    expect(svg).not.toContain('NaN');
  });

  it('puts label counts evenly apart on a logarithmic axis', () => {
    const [first = NaN, second = NaN, third = NaN] = [...svg.matchAll(/<circle cx="([\d.]+)"/g)].map((found) => Number(found[1]));
    expect((third - second) / (second - first)).toBeCloseTo(Math.log(4) / Math.log(2), 2);
  });

  it('escapes words and gives the same text each time', () => {
    expect(svg).toContain('<title>Dice &amp; labels &lt;5</title>');
    expect(lineChart(plan)).toBe(svg);
  });

  it('stands below another one in the same file', () => {
    const both = chartFile('both', [plan, plan]);
    expect(both.match(/<circle /g)).toHaveLength(8);
    expect(both).toContain('viewBox="0 0 720 840"');
  });

  it('gives no two of thirty series the same look, and the look that is asked for', () => {
    const looksOf = (series: LineChart['series']): string[] =>
      [...lineChart({ ...plan, series }).matchAll(/<polyline .* (stroke="[^"]+") stroke-width="1.8"(.*)\/>/g)].map(
        ([, colour, dash]) => `${colour} ${dash}`,
      );
    const points = [{ x: 5, y: 0.7 }];
    const many = Array.from({ length: 30 }, (_, index) => ({ name: `series ${index}`, points }));
    const looks = looksOf(many);
    expect(new Set(looks).size).toBe(30);
    expect(looksOf([{ name: 'one', points, look: 17 }])).toEqual([looks[17]]);
  });

  it('can do with one value', () => {
    expect(lineChart({ ...plan, logarithmicX: false, series: [{ name: 'one', points: [{ x: 1, y: 1 }] }] })).not.toContain('NaN');
  });
});
