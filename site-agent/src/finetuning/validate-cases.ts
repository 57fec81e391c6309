import type { OrderContext } from '../trainer/order-context.js';
import type { PatchSize } from '../training/patch-batch.js';
import { letEventsIn, obeyStop } from '../training/train.js';
import type { KeptCase } from './kept-case.js';
import { classMapOf, countOverlap, dice, mean, softDiceLoss } from './metrics.js';
import { onOwnGrid } from './prepare-image.js';
import { predictVolume } from './sliding-window.js';

/** The part of a learner that inference needs: forward only, after the sigmoid. */
export interface Segmenter {
  predict(input: Float32Array, patches: number, sizeVoxels: PatchSize): Float32Array;
}

/**
 * Probabilities of every voxel and class, by sliding window. One window per call: batch norm uses the statistics of its
 * batch, and a voxel's answer must not depend on which other windows shared one.
 */
export function segment(
  segmenter: Segmenter,
  volume: { readonly intensities: Float32Array; readonly sizeVoxels: PatchSize },
  patch: PatchSize,
  classes: number,
): Float32Array {
  const range = { outputs: classes, from: 0, to: classes };
  return predictVolume(volume.intensities, volume.sizeVoxels, patch, range, (input) => segmenter.predict(input, 1, patch));
}

/** Soft Dice loss and thresholded Dice on the images' own grids, each the mean over the cases. */
export async function validateCases(
  segmenter: Segmenter,
  cases: readonly KeptCase[],
  patch: PatchSize,
  classes: number,
  context: Pick<OrderContext, 'stop' | 'report'>,
): Promise<{ loss: number; dice: number }> {
  const losses: number[] = [];
  const scores: number[] = [];
  for (const [index, kept] of cases.entries()) {
    obeyStop(context.stop);
    const labelled = kept.whole();
    const probabilities = onOwnGrid(segment(segmenter, labelled, patch, classes), labelled.own?.fromOwn, classes);
    const { classMap } = labelled.own ?? labelled;
    losses.push(softDiceLoss(probabilities, classMap, classes));
    scores.push(mean(countOverlap(classMapOf(probabilities, classes), classMap, classes).map(dice)));
    context.report('validating', index + 1, cases.length);
    await letEventsIn();
  }
  return { loss: mean(losses), dice: mean(scores) };
}
