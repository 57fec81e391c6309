import { readMetricGoldens } from '../../../../test/fixtures/read-metric-goldens.js';
import { brierScore, expectedCalibrationError, reliabilityCurve } from './calibration.js';
import { confusionTable, decisionQuality } from './decision.js';
import { rocAuc, rocCurve } from './roc.js';

const goldens = readMetricGoldens().scores;
const close = (ours: readonly (number | null)[], theirs: readonly number[]): void => {
  expect(ours).toHaveLength(theirs.length);
  ours.forEach((value, index) => expect(value).toBeCloseTo(theirs[index] ?? NaN, 10));
};

describe.each(goldens.map((golden) => [golden.perClass.length, golden] as const))('scores of %d classes', (classes, golden) => {
  const cases = golden.labels.map((label, index) => ({ label, probabilities: golden.probabilities[index] ?? [] }));
  const outcomesOf = (index: number) =>
    cases.map(({ label, probabilities }) => ({ probability: probabilities[index] ?? NaN, positive: label === index }));

  it('agree with scikit-learn, each class against the others, ties included', () => {
    golden.perClass.forEach((expected, index) => {
      const outcomes = outcomesOf(index);
      expect(rocAuc(outcomes)).toBeCloseTo(expected.auc, 12);
      const curve = rocCurve(outcomes);
      close(
        curve.map(({ falsePositiveRate }) => falsePositiveRate),
        expected.roc[0],
      );
      close(
        curve.map(({ truePositiveRate }) => truePositiveRate),
        expected.roc[1],
      );
      const { trueNegatives, falsePositives, falseNegatives, truePositives } = decisionQuality(outcomes, 0.5);
      expect([trueNegatives, falsePositives, falseNegatives, truePositives]).toEqual(expected.confusion);
    });
  });

  it("have scikit-learn's calibration", () => {
    expect(brierScore(cases)).toBeCloseTo(golden.brier, 12);
    golden.perClass.forEach((expected, index) => {
      const curve = reliabilityCurve(outcomesOf(index));
      const filled = curve.filter(({ cases: count }) => count > 0);
      close(
        filled.map(({ observedShare }) => observedShare),
        expected.observed,
      );
      close(
        filled.map(({ meanProbability }) => meanProbability),
        expected.mean,
      );
      expect(expectedCalibrationError(curve)).toBeCloseTo(expected.ece, 10);
    });
  });

  it('make the same table of called and true classes', () => {
    const called = cases.map(({ label, probabilities }) => ({
      label,
      called: probabilities.indexOf(Math.max(...probabilities)),
    }));
    expect(confusionTable(called, classes)).toEqual(golden.confusion);
  });
});

describe('scores that do not exist', () => {
  it('are null, not 0 and not 1', () => {
    const positives = [{ probability: 0.9, positive: true }];
    expect(rocAuc(positives)).toBeNull();
    expect(rocCurve(positives)).toEqual([]);
    expect(decisionQuality(positives, 0.95)).toMatchObject({ sensitivity: 0, specificity: null, ppv: null, npv: 0 });
  });

  it('leave empty bins empty, and put 0 and 1 into the outer ones', () => {
    const curve = reliabilityCurve([0, 1].map((probability) => ({ probability, positive: probability === 1 })));
    expect(curve.map(({ cases }) => cases)).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    expect(curve[4]).toMatchObject({ meanProbability: null, observedShare: null });
    expect(expectedCalibrationError(curve)).toBe(0);
  });
});
