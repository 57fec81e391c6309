import type { OrderContext } from '../trainer/order-context.js';
import type { PatchSize } from '../training/patch-batch.js';
import type { KeptCase } from './cases/kept-case.js';
import { countOverlap, dice, mean, softDiceLoss } from './answers/metrics.js';
import { segmentVolume } from './answers/segment-volume.js';
import type { Segmenter } from './answers/segmenter.js';
import { pauseOf } from './answers/window-pause.js';
import { USUAL_WINDOWS } from './answers/window-plan.js';

interface ValidationPlan {
  readonly patchSizeVoxels: PatchSize;
  readonly classes: number;
  /** What the sums of a sliding window may take at once; nothing else depends on it. */
  readonly mostPassBytes: number;
}

/** Soft Dice loss and thresholded Dice on the images' own grids, each the mean over the cases. */
export async function validateCases(
  segmenter: Segmenter,
  cases: readonly KeptCase[],
  plan: ValidationPlan,
  context: Pick<OrderContext, 'stop' | 'report'>,
): Promise<{ loss: number; dice: number }> {
  const losses: number[] = [];
  const scores: number[] = [];
  for (const [index, kept] of cases.entries()) {
    const { intensities, sizeVoxels, ...labelled } = kept.whole();
    const { classMap, fromOwn } = labelled.own ?? { ...labelled, fromOwn: undefined };
    const own: number[] = [];
    const image = { intensities, sizeVoxels, fromOwn };
    const pause = pauseOf(context, 'validating', { index, total: cases.length });
    const windows = { ...plan, windows: USUAL_WINDOWS, pause };
    const found = await segmentVolume(segmenter, image, windows, (classIndex, probabilities) => {
      own.push(softDiceLoss(probabilities, classMap, classIndex + 1));
    });
    losses.push(mean(own));
    scores.push(mean(countOverlap(found, classMap, plan.classes).map(dice)));
    context.report('validating', index + 1, cases.length);
  }
  return { loss: mean(losses), dice: mean(scores) };
}
