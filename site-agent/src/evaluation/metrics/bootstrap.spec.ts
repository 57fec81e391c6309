import { readMetricGoldens } from '../../../../test/fixtures/read-metric-goldens.js';
import { bootstrapInterval, meanInterval } from './bootstrap.js';
import { mean, standardDeviation } from './mean.js';

describe('bootstrap interval', () => {
  it("lies where scipy's does", () => {
    const { values, low, high } = readMetricGoldens().bootstrap;
    const interval = meanInterval(values);
    expect(Math.abs((interval?.low ?? NaN) - low)).toBeLessThan(0.006);
    expect(Math.abs((interval?.high ?? NaN) - high)).toBeLessThan(0.006);
  });

  it('shrinks to a point for equal values, says nothing about two and is the same every time', () => {
    expect(meanInterval([0.5, 0.5, 0.5])).toEqual({ low: 0.5, high: 0.5 });
    expect(meanInterval([0.1, 0.9])).toBeUndefined();
    expect(meanInterval([0.2, 0.4, 0.6])).toEqual(meanInterval([0.2, 0.4, 0.6]));
  });

  it('draws patients, so that many cases of few patients do not narrow it', () => {
    const cases = [0.2, 0.5, 0.9, 0.6].flatMap((score, patient) =>
      Array.from({ length: 10 }, () => ({ score, patient: `${patient}` })),
    );
    const figure = (drawn: readonly { readonly score: number }[]): number => mean(drawn.map(({ score }) => score));
    const width = (interval: ReturnType<typeof meanInterval>): number => (interval?.high ?? NaN) - (interval?.low ?? NaN);
    const [byCase, byPatient] = [
      bootstrapInterval(cases, figure),
      bootstrapInterval(cases, figure, { patientOf: ({ patient }) => patient }),
    ];
    expect(width(byPatient)).toBeGreaterThan(2 * width(byCase));
    expect(bootstrapInterval(cases.slice(0, 20), figure, { patientOf: ({ patient }) => patient })).toBeUndefined();
  });

  it('is withheld when too many draws have no such figure', () => {
    const rare = [1, 0, 0, 0, 0];
    expect(bootstrapInterval(rare, (drawn) => (drawn.includes(1) ? 1 : null))).toBeUndefined();
  });
});

describe('mean and standard deviation', () => {
  it('agree with hand-computed values, and are none of nothing', () => {
    expect([mean([1, 2]), standardDeviation([1, 2, 3, 4])]).toEqual([1.5, Math.sqrt(5 / 3)]);
    expect(mean([])).toBeNaN();
    expect([standardDeviation([]), standardDeviation([1])]).toEqual([NaN, NaN]);
  });
});
