/** What looking at the validation cases costs beside the training: each is answered for as a whole. */
import type { PatchSize } from '../training/patch-batch.js';
import { planWindows } from './answers/sliding-window.js';
import type { SegmentationTask } from './tasks/segmentation-task.js';

/** A window of patch size against a patch in a step, in time (docs/guides/engine.md: 0.92 s of 2.65 s, width 32). */
const WINDOW_SHARE = 0.35;

/**
 * A remark for people when a look takes longer than the steps between two of them, as with large scans and the usual schedule;
 * undefined when it does not. `sizesVoxels`: of the validation cases as the network sees them; they spread over so many
 * `folds`.
 */
export function remarkOnValidation(
  { patchSizeVoxels, training }: Pick<SegmentationTask, 'patchSizeVoxels' | 'training'>,
  sizesVoxels: readonly PatchSize[],
  folds = 1,
): string | undefined {
  const all = sizesVoxels.reduce((sum, size) => sum + planWindows(size, patchSizeVoxels).length, 0);
  const windows = Math.round(all / folds);
  const steps = Math.round((windows * WINDOW_SHARE) / training.batchSize);
  if (steps <= training.validateEverySteps) return undefined;
  const cost = `${formatNumber(windows)} windows, about as long as ${formatNumber(steps)} steps`;
  return (
    `a look at the validation cases takes ${cost}, after every ${training.validateEverySteps}; ` +
    'a larger "validateEverySteps", a coarser "spacingMm" or fewer validation cases take less'
  );
}

function formatNumber(value: number): string {
  return value.toLocaleString('en');
}
