/**
 * Which accepted updates of a round are held back because they are far from the others, in size or in direction: an accident or
 * a clumsy attack at one site must not move the model before a human has looked. (Bounds on norms against model replacement:
 * Z. Sun et al., "Can you really backdoor federated learning?", 2019. Agreement of directions: C. Fung, C. Yoon and I.
 * Beschastnikh, "The limitations of federated learning in sybil settings", RAID 2020, there between sites that are too alike.)
 *
 * A pure function of the set of updates: neither arrival order nor a restart changes the verdict. It is made to be wrong rather
 * on the lenient side, as the robust recipes are there for those who expect attacks:
 * - Nobody can tell who is wrong among fewer than three updates. Their norms are then compared with the campaign's earlier
 *   updates, if there are three of those; directions are not judged.
 * - Verdicts must concern fewer than half of a round's updates. Where they do not, the round has no common opinion, and it is
 *   judged as if it had too few updates.
 * - Among an even number of others, the middle is the whole span between the two middle norms. One bad update of three so never
 *   makes the two good ones look small.
 * - A site that took fewer steps than the others may have a smaller norm in proportion. A site that claims more steps may not
 *   have a larger one, for the claim is its own.
 * - Where the middle norm is zero, nothing is too large. A zero update is too small wherever the others are not zero; it has no
 *   direction.
 * - A direction is far when the cosine to the mean direction of the others is three standard errors of the sketch below
 *   `minimumCosine`, and the update points away from at least half of the others one by one. The second condition protects two
 *   sites that agree from a third that opposes both, because the mean of an update and its opposite points anywhere.
 */
import type { ScreeningPlan } from '@consilium/shared/wire';
import type { ScreeningCode } from './held-back.js';
import { COSINE_STANDARD_ERROR, cosineBetween, decodeSketch, SKETCH_BUCKETS } from './sketch.js';

export interface NormFacts {
  /** Euclidean norm of the update. */
  readonly norm: number;
  /** Optimizer steps behind it, as the site reports them. */
  readonly steps: number;
}

export interface ScreenedUpdate extends NormFacts {
  readonly participationId: string;
  readonly sketch: string;
}

export interface Finding {
  readonly participationId: string;
  readonly code: ScreeningCode;
  /** In words, with the numbers. */
  readonly reason: string;
}

interface Directed {
  readonly participationId: string;
  /** Of length 1. */
  readonly direction: Float64Array;
}

/** With fewer updates than this nobody can tell which of them is wrong; also the least number of earlier ones to compare with. */
const QUORUM_OF_OPINIONS = 3;

/** Standard errors of the sketch that a cosine must be below its limit. */
const MARGIN = 3 * COSINE_STANDARD_ERROR;

/** The updates to hold back, in the order of their ids. `earlier` are updates that counted in the campaign's last rounds. */
export function screenUpdates(
  updates: readonly ScreenedUpdate[],
  earlier: readonly NormFacts[],
  { normFactor, minimumCosine }: ScreeningPlan,
): Finding[] {
  const inOrder = [...updates].sort((a, b) => (a.participationId < b.participationId ? -1 : 1));
  const tooFar = findNormsFar(inOrder, earlier, normFactor);
  const rest = inOrder.filter(({ participationId }) => !tooFar.some((finding) => finding.participationId === participationId));
  return [...tooFar, ...findDirectionsFar(rest, minimumCosine)].sort((a, b) => (a.participationId < b.participationId ? -1 : 1));
}

function findNormsFar(updates: readonly ScreenedUpdate[], earlier: readonly NormFacts[], factor: number): Finding[] {
  if (updates.length >= QUORUM_OF_OPINIONS) {
    const findings = updates.flatMap((update) => {
      const others = updates.filter((other) => other !== update);
      return judgeNorm(update, others, factor, "the round's others");
    });
    if (isMinority(findings, updates)) return findings;
  }
  if (earlier.length < QUORUM_OF_OPINIONS) return [];
  return updates.flatMap((update) => judgeNorm(update, earlier, factor, "the campaign's last updates"));
}

function judgeNorm(update: ScreenedUpdate, reference: readonly NormFacts[], factor: number, whose: string): Finding[] {
  const middle = middleOf(reference.map(({ norm }) => norm));
  const share = Math.min(1, update.steps / middleOf(reference.map(({ steps }) => steps)).high);
  const isLarge = middle.high > 0 && update.norm > factor * middle.high;
  const isSmall = update.norm < (middle.low * share) / factor;
  if (!isLarge && !isSmall) return [];
  const times = update.norm / (isLarge ? middle.high : middle.low);
  const reason = `its norm ${format(update.norm)} is ${format(times)} times the median of ${whose}`;
  return [{ participationId: update.participationId, code: 'UPDATE_NORM_FAR', reason }];
}

function findDirectionsFar(updates: readonly ScreenedUpdate[], minimumCosine: number): Finding[] {
  const directed = updates.flatMap(directionOf);
  if (directed.length < QUORUM_OF_OPINIONS) return [];
  const sum = new Float64Array(SKETCH_BUCKETS);
  for (const { direction } of directed)
    for (let k = 0; k < sum.length; k++) sum[k] = (sum[k] as number) + (direction[k] as number);
  const findings = directed.flatMap((update): Finding[] => {
    const mean = sum.map((total, k) => total - (update.direction[k] as number));
    const cosine = cosineBetween(update.direction, mean) ?? 0;
    if (cosine >= minimumCosine - MARGIN) return [];
    const others = directed.filter((other) => other !== update);
    if (middleOf(others.map((other) => cosineBetween(update.direction, other.direction) ?? 0)).high >= 0) return [];
    const reason = `the cosine of its direction to the mean of the round's others is ${cosine.toFixed(2)}`;
    return [{ participationId: update.participationId, code: 'UPDATE_DIRECTION_FAR', reason }];
  });
  return isMinority(findings, directed) ? findings : [];
}

/** None for a zero update. */
function directionOf({ participationId, sketch }: ScreenedUpdate): Directed[] {
  const sums = decodeSketch(sketch);
  const length = Math.sqrt(sums.reduce((total, sum) => total + sum * sum, 0));
  if (length === 0 || sums.length !== SKETCH_BUCKETS) return [];
  return [{ participationId, direction: Float64Array.from(sums, (sum) => sum / length) }];
}

function isMinority(some: readonly unknown[], all: readonly unknown[]): boolean {
  return 2 * some.length < all.length;
}

/** The two middle values of an even number, the middle one twice of an odd number. */
function middleOf(values: readonly number[]): { low: number; high: number } {
  const sorted = [...values].sort((a, b) => a - b);
  return { low: sorted[(sorted.length - 1) >> 1] as number, high: sorted[sorted.length >> 1] as number };
}

function format(value: number): string {
  return String(Number(value.toPrecision(3)));
}
