import { readMetricGoldens } from '../../../../test/fixtures/read-metric-goldens.js';
import { signedRankTest } from './wilcoxon.js';

describe('signed-rank test', () => {
  it.each(readMetricGoldens().pairs)("agrees with scipy's: p = $p, $method", ({ differences, p, method }) => {
    const test = signedRankTest(differences);
    expect(test.p).toBeCloseTo(p, 10);
    expect(test.method).toBe(method);
  });

  it('finds nothing where nothing differs, and is no surer than its pairs allow', () => {
    expect(signedRankTest([0, 0])).toEqual({ p: 1, pairs: 0, positiveRanks: 0, method: 'exact' });
    expect(signedRankTest([0.3]).p).toBe(1);
    expect(signedRankTest([0.1, 0.2, 0.3, 0.4]).p).toBe(0.125);
  });

  it('does not depend on which of the two was subtracted', () => {
    const differences = Array.from({ length: 60 }, (_, index) => Math.sin(index) + 0.2);
    expect(signedRankTest(differences).p).toBeCloseTo(signedRankTest(differences.map((value) => -value)).p, 12);
  });
});
