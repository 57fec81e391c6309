/** What training looks at in the validation images of a classifier. */
import { rocAuc } from '../../evaluation/metrics/roc.js';
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
  const areas = wanted.flatMap((index) => {
    const outcomes = examples.map(({ probabilities, classIndex }) => {
      return { probability: probabilities[index] ?? 0, positive: classIndex === index };
    });
    return rocAuc(outcomes) ?? [];
  });
  return { loss, auc: areas.length === 0 ? null : mean(areas), accuracy };
}

/** The first of the largest. */
export function mostLikely(probabilities: ArrayLike<number>): number {
  let best = 0;
  for (let index = 1; index < probabilities.length; index++) {
    if ((probabilities[index] as number) > (probabilities[best] as number)) best = index;
  }
  return best;
}
