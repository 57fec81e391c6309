/**
 * Receiver operating characteristic (Hanley and McNeil, Radiology 1982). The area is the Mann–Whitney statistic: the
 * probability that a positive case scores above a negative one, ties counting one half. For several classes each is held
 * against all others.
 */
import { midranks } from './midranks.js';

/** One case as one class sees it. */
export interface ScoredOutcome {
  /** The probability of the class. */
  readonly probability: number;
  /** Whether the case is of the class. */
  readonly positive: boolean;
}

/** Null unless there are positive and negative cases. */
export function rocAuc(outcomes: readonly ScoredOutcome[]): number | null {
  const positives = outcomes.filter(({ positive }) => positive).length;
  const negatives = outcomes.length - positives;
  if (positives === 0 || negatives === 0) return null;
  const ranks = midranks(outcomes.map(({ probability }) => probability));
  const sum = ranks.reduce((total, rank, index) => total + (outcomes[index]?.positive === true ? rank : 0), 0);
  return (sum - (positives * (positives + 1)) / 2) / (positives * negatives);
}

export interface RocPoint {
  readonly falsePositiveRate: number;
  readonly truePositiveRate: number;
  /** Cases with at least this probability are called positive; Infinity at the first point. */
  readonly threshold: number;
}

/** From (0, 0) to (1, 1), one point per distinct probability; empty unless there are positive and negative cases. */
export function rocCurve(outcomes: readonly ScoredOutcome[]): RocPoint[] {
  const positives = outcomes.filter(({ positive }) => positive).length;
  const negatives = outcomes.length - positives;
  if (positives === 0 || negatives === 0) return [];
  const sorted = outcomes.toSorted((a, b) => b.probability - a.probability);
  const points: RocPoint[] = [{ falsePositiveRate: 0, truePositiveRate: 0, threshold: Infinity }];
  let [truePositives, falsePositives] = [0, 0];
  sorted.forEach(({ probability, positive }, index) => {
    if (positive) truePositives++;
    else falsePositives++;
    if (sorted[index + 1]?.probability === probability) return;
    points.push({
      falsePositiveRate: falsePositives / negatives,
      truePositiveRate: truePositives / positives,
      threshold: probability,
    });
  });
  return points;
}
