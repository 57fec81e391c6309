/** What a classifier reached on labelled images. AUC is the Mann–Whitney statistic (Hanley and McNeil, Radiology 1982). */
import { mean } from './metrics.js';

/** The answer for one image and what is right. */
export interface ClassifiedExample {
  /** One per class, with the sum 1. */
  readonly probabilities: ArrayLike<number>;
  readonly classIndex: number;
}

export interface ClassificationScores {
  /** Mean cross-entropy. */
  readonly loss: number;
  /** Of the second of two classes; of more, the mean over the classes that occur and are not all. Null where none is such. */
  readonly auc: number | null;
  readonly accuracy: number;
}

/** Keeps the logarithm of a probability finite; float32 rounds smaller ones to 0. */
const LEAST_PROBABILITY = 1e-7;

/** NaN for an empty list. */
export function scoreExamples(examples: readonly ClassifiedExample[], classes: number): ClassificationScores {
  const loss = mean(
    examples.map(({ probabilities, classIndex }) => -Math.log(Math.max(LEAST_PROBABILITY, probabilities[classIndex] ?? 0))),
  );
  const accuracy = mean(examples.map(({ probabilities, classIndex }) => (mostLikely(probabilities) === classIndex ? 1 : 0)));
  const wanted = classes === 2 ? [1] : Array.from({ length: classes }, (_, index) => index);
  const areas = wanted.flatMap((index) => areaUnderCurve(examples.map((example) => asBinary(example, index))) ?? []);
  return { loss, auc: areas.length === 0 ? null : mean(areas), accuracy };
}

function asBinary({ probabilities, classIndex }: ClassifiedExample, wanted: number): { score: number; positive: boolean } {
  return { score: probabilities[wanted] ?? 0, positive: classIndex === wanted };
}

/** The first of the largest. */
export function mostLikely(probabilities: ArrayLike<number>): number {
  let best = 0;
  for (let index = 1; index < probabilities.length; index++) {
    if ((probabilities[index] as number) > (probabilities[best] as number)) best = index;
  }
  return best;
}

/**
 * The chance that a positive example scores higher than a negative one, ties counting half; undefined when either is missing.
 */
export function areaUnderCurve(examples: readonly { readonly score: number; readonly positive: boolean }[]): number | undefined {
  const sorted = [...examples].sort((a, b) => a.score - b.score);
  const positives = sorted.filter(({ positive }) => positive).length;
  const negatives = sorted.length - positives;
  if (positives === 0 || negatives === 0) return undefined;
  let rankSum = 0;
  for (let from = 0; from < sorted.length;) {
    let to = from;
    while (to < sorted.length && sorted[to]?.score === sorted[from]?.score) to++;
    const sharedRank = (from + 1 + to) / 2; // ranks are counted from 1
    for (let index = from; index < to; index++) if (sorted[index]?.positive === true) rankSum += sharedRank;
    from = to;
  }
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}
