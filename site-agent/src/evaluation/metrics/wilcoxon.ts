/**
 * Wilcoxon's signed-rank test of paired differences, two-sided (Wilcoxon, Biometrics Bulletin 1945). Exact where pairs are few:
 * the distribution over all 2ⁿ signs of the very ranks at hand, ties included (Pratt and Gibbons 1981, chapter 3).
 */
import { midranks } from './midranks.js';

export interface SignedRankTest {
  /** Two-sided; 1 when no pair differs. */
  readonly p: number;
  /** Pairs that differ; the others are left out, as Wilcoxon does. */
  readonly pairs: number;
  /** Sum of the ranks of the positive differences. */
  readonly positiveRanks: number;
  readonly method: 'exact' | 'normal';
}

/** Above this many pairs the normal approximation differs in no digit that matters. */
const MOST_EXACT_PAIRS = 50;

export function signedRankTest(differences: readonly number[]): SignedRankTest {
  const kept = differences.filter((difference) => difference !== 0);
  const ranks = midranks(kept.map(Math.abs));
  const positiveRanks = ranks.reduce((sum, rank, index) => sum + ((kept[index] ?? 0) > 0 ? rank : 0), 0);
  const pairs = kept.length;
  if (pairs <= MOST_EXACT_PAIRS) return { p: exactP(ranks, positiveRanks), pairs, positiveRanks, method: 'exact' };
  return { p: normalP(ranks, positiveRanks), pairs, positiveRanks, method: 'normal' };
}

/** Ranks are whole or half numbers, so that their doubled sums count all sign patterns exactly. */
function exactP(ranks: readonly number[], positiveRanks: number): number {
  const doubled = ranks.map((rank) => Math.round(2 * rank));
  const total = doubled.reduce((sum, rank) => sum + rank, 0);
  const shares = new Float64Array(total + 1);
  shares[0] = 1;
  for (const rank of doubled) {
    for (let sum = total; sum >= 0; sum--) {
      const without = shares[sum] as number;
      shares[sum] = (without + (sum >= rank ? (shares[sum - rank] as number) : 0)) / 2;
    }
  }
  const seen = Math.round(2 * positiveRanks);
  const extreme = Math.min(seen, total - seen);
  const tail = shares.subarray(0, extreme + 1).reduce((sum, share) => sum + share, 0);
  return Math.min(1, 2 * tail);
}

/** With the variance of the ranks at hand (ties included) and without a continuity correction. */
function normalP(ranks: readonly number[], positiveRanks: number): number {
  const expected = ranks.reduce((sum, rank) => sum + rank, 0) / 2;
  const variance = ranks.reduce((sum, rank) => sum + rank * rank, 0) / 4;
  return Math.min(1, 2 * upperTail(Math.abs(positiveRanks - expected) / Math.sqrt(variance)));
}

/** P(Z > z) for z ≥ 0: the complementary error function by its continued fraction or series (Abramowitz and Stegun 7.1). */
function upperTail(z: number): number {
  const x = z / Math.SQRT2;
  if (x < 2) {
    let [term, sum] = [x, x];
    for (let n = 1; n < 80; n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return 0.5 - sum / Math.sqrt(Math.PI);
  }
  let fraction = 0;
  for (let n = 80; n >= 1; n--) fraction = n / 2 / (x + fraction);
  return Math.exp(-x * x) / (2 * Math.sqrt(Math.PI) * (x + fraction));
}
