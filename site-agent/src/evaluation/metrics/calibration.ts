/**
 * Whether probabilities mean what they say. Reliability curve and expected calibration error over equally wide bins (Naeini et
 * al., AAAI 2015; Guo et al., ICML 2017); Brier score (Brier, Monthly Weather Review 1950).
 */
import type { ScoredOutcome } from './roc.js';

export const CALIBRATION_BINS = 10;

export interface ReliabilityBin {
  readonly from: number;
  readonly to: number;
  readonly cases: number;
  /** Null in an empty bin. */
  readonly meanProbability: number | null;
  readonly observedShare: number | null;
}

/** Bins are open below and closed above, as Guo et al. have them; a probability of 0 lies in the first. */
export function reliabilityCurve(outcomes: readonly ScoredOutcome[], bins = CALIBRATION_BINS): ReliabilityBin[] {
  return Array.from({ length: bins }, (_, index) => {
    const isInside = ({ probability }: ScoredOutcome): boolean =>
      (index === 0 || probability > index / bins) && (index === bins - 1 || probability <= (index + 1) / bins);
    const inside = outcomes.filter(isInside);
    const cases = inside.length;
    const sum = inside.reduce((total, { probability }) => total + probability, 0);
    const positives = inside.filter(({ positive }) => positive).length;
    const [meanProbability, observedShare] = cases === 0 ? [null, null] : [sum / cases, positives / cases];
    return { from: index / bins, to: (index + 1) / bins, cases, meanProbability, observedShare };
  });
}

/** Σ (cases in bin / cases) · |observed share − mean probability|; NaN without a case. */
export function expectedCalibrationError(curve: readonly ReliabilityBin[]): number {
  const cases = curve.reduce((sum, bin) => sum + bin.cases, 0);
  const weighted = curve.reduce(
    (sum, bin) => sum + bin.cases * Math.abs((bin.observedShare ?? 0) - (bin.meanProbability ?? 0)),
    0,
  );
  return weighted / cases;
}

/**
 * Mean over the cases of Σ over the classes of (probability − 1 for the true class, probability − 0 for others)²; halved for
 * two classes, as is customary there: 0 is perfect, 0.25 is what always saying one half gives.
 */
export function brierScore(cases: readonly { readonly label: number; readonly probabilities: readonly number[] }[]): number {
  const halves = cases[0]?.probabilities.length === 2 ? 0.5 : 1;
  const sum = cases.reduce((total, entry) => total + halves * squaredError(entry), 0);
  return sum / cases.length;
}

function squaredError({ label, probabilities }: { readonly label: number; readonly probabilities: readonly number[] }): number {
  return probabilities.reduce((sum, probability, index) => sum + (probability - (index === label ? 1 : 0)) ** 2, 0);
}
