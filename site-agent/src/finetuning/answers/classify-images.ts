import type { OrderContext } from '../../trainer/order-context.js';
import type { AnswerActivation } from '../../training/batch-computation.js';
import type { PatchSize } from '../../training/patch-batch.js';
import { letEventsIn, obeyStop } from '../../training/train.js';
import { type ClassificationScores, scoreExamples } from './classification-scores.js';
import { inputOf } from '../cases/classified-image.js';
import type { LabelledImage } from '../cases/load-images.js';

/** The part of a learner that inference needs. */
export interface Classifier {
  predict(input: Float32Array, patches: number, sizeVoxels: PatchSize, last?: AnswerActivation): Float32Array;
}

export interface ClassifierShape {
  readonly patchSizeVoxels: PatchSize;
  /** One for a sigmoid that tells the second of two classes. */
  readonly outputs: number;
}

/**
 * The probability of each class, with the sum 1. One image per call: batch norm uses the statistics of its batch, and an
 * image's answer must not depend on which others shared one.
 */
export function classify(classifier: Classifier, input: Float32Array, { patchSizeVoxels, outputs }: ClassifierShape): number[] {
  if (outputs > 1) return [...classifier.predict(input, 1, patchSizeVoxels, 'softmax')];
  const [second = 0] = classifier.predict(input, 1, patchSizeVoxels);
  return [1 - second, second];
}

/** Cross-entropy, AUC and accuracy over the images, unaugmented. */
export async function validateImages(
  classifier: Classifier,
  images: readonly LabelledImage[],
  shape: ClassifierShape & { readonly classes: number },
  context: Pick<OrderContext, 'stop' | 'report'>,
): Promise<ClassificationScores> {
  const examples: { probabilities: number[]; classIndex: number }[] = [];
  for (const [index, image] of images.entries()) {
    obeyStop(context.stop);
    const probabilities = classify(classifier, inputOf(image, shape.patchSizeVoxels), shape);
    examples.push({ probabilities, classIndex: image.classIndex });
    context.report('validating', index + 1, images.length);
    await letEventsIn();
  }
  return scoreExamples(examples, shape.classes);
}
