import { comparePaired } from './compare-runs.js';

const cases = (values: readonly number[], patientOf = (index: number) => `p${index}`) =>
  values.map((value, index) => ({ name: `c${index}`, patient: patientOf(index), value }));

describe('paired comparison', () => {
  it('pairs by name, whatever the order, and leaves out what only one has', () => {
    const { pairs, meanDifference } = comparePaired(cases([0.5, 0.75, 0.9]), cases([0.25, 0.5]).toReversed());
    expect(pairs).toEqual([
      { name: 'c0', ours: 0.5, other: 0.25, difference: 0.25 },
      { name: 'c1', ours: 0.75, other: 0.5, difference: 0.25 },
    ]);
    expect(meanDifference).toBe(0.25);
  });

  it('sees a steady gain among cases that differ far more than the models', () => {
    const scratch = [0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.2];
    const comparison = comparePaired(cases(scratch.map((value, index) => value + 0.02 + index / 1000)), cases(scratch));
    expect(comparison.test.p).toBe(2 / 2 ** 8);
    expect(comparison.interval?.low).toBeGreaterThan(0.02);
    expect(comparison).toMatchObject({ higher: 8, lower: 0 });
  });

  it('counts patients, not cases, as evidence', () => {
    const ours = cases([0.5, 0.5, 0.5, 0.5, 0.5, 0.5], (index) => `p${index % 2}`);
    const comparison = comparePaired(ours, cases([0.1, 0.1, 0.1, 0.1, 0.1, 0.1]));
    expect(comparison).toMatchObject({ interval: null, test: { pairs: 2, p: 0.5 } });
  });

  it('says nothing of nothing', () => {
    expect(comparePaired([], cases([1]))).toMatchObject({ pairs: [], meanDifference: null, interval: null, test: { p: 1 } });
  });
});
