import { chartFigure, marksIn } from './chart.js';

describe('chart', () => {
  it.each([
    [0, 1, [0, 0.25, 0.5, 0.75, 1]],
    [0, 60, [0, 20, 40, 60]],
    [-3, 7, [-2.5, 0, 2.5, 5]],
    [5, 5, [5]],
  ])('has a few round marks from %d to %d', (from, to, marks) => {
    expect(marksIn([from, to])).toEqual(marks.map((mark) => expect.closeTo(mark, 9) as number));
  });

  it('draws higher values higher and later ones further right', () => {
    const points = [
      [0, 0.2],
      [10, 0.8],
      [20, 0.5],
    ] as const;
    const svg = chartFigure({ title: 'a < b', xLabel: 'x', yLabel: 'y', lines: [{ name: 'line', style: 'model', points }] });
    const [, drawn = ''] = /points="([^"]+)"/.exec(svg) ?? [];
    const [first = [], second = [], third = []] = drawn.split(' ').map((point) => point.split(',').map(Number));
    expect(first[0]).toBeLessThan(second[0] ?? NaN);
    expect(second[0]).toBeLessThan(third[0] ?? NaN);
    expect(second[1]).toBeLessThan(third[1] ?? NaN);
    expect(third[1]).toBeLessThan(first[1] ?? NaN);
    expect(svg).toContain('a &lt; b');
  });

  it('shows a single validation as a dot, and nothing of nothing', () => {
    const chartOf = (points: readonly (readonly [number, number])[]): string =>
      chartFigure({ title: 't', xLabel: 'x', yLabel: 'y', lines: [{ name: 'one', style: 'model', points }] });
    expect(chartOf([[1, 1]])).toContain('<circle');
    expect(chartOf([])).not.toMatch(/<circle|<polyline/);
  });
});
