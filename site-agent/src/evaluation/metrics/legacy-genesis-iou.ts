/**
 * The "IoU" of the Models Genesis publications (Zhou et al., MICCAI 2019 and MedIA 2021; keras/downstream_tasks/utils.py):
 * for each of the thresholds 0.50, 0.55 … 0.95, the mean of the intersections over union of background and foreground, counted
 * over all voxels of all cases seen so far, averaged over the thresholds. On any small structure it lies far above the
 * foreground's own intersection over union and must never be compared with it; it is here to be compared with those papers.
 */
import { invariant } from '@consilium/shared/kernel';
import { mean } from './mean.js';

export const LEGACY_THRESHOLDS: readonly number[] = Array.from({ length: 10 }, (_, index) => (50 + 5 * index) / 100);

/** Voxels at one threshold, over as many cases as were added. */
export interface LegacyCounts {
  readonly both: number;
  readonly predictedOnly: number;
  readonly labelledOnly: number;
  readonly neither: number;
}

/** One entry per threshold. A voxel is foreground when its probability lies above the threshold. */
export function countLegacy(probabilities: Float32Array, isLabelled: (voxel: number) => boolean): LegacyCounts[] {
  // How many thresholds each voxel lies above, so that every voxel is looked at once.
  const reached = { labelled: new Float64Array(11), other: new Float64Array(11) };
  for (let voxel = 0; voxel < probabilities.length; voxel++) {
    const probability = probabilities[voxel] as number;
    let above = 0;
    while (above < LEGACY_THRESHOLDS.length && probability > (LEGACY_THRESHOLDS[above] as number)) above++;
    const bins = isLabelled(voxel) ? reached.labelled : reached.other;
    bins[above] = (bins[above] as number) + 1;
  }
  const over = (bins: Float64Array, index: number): number => bins.subarray(index + 1).reduce((sum, count) => sum + count, 0);
  const under = (bins: Float64Array, index: number): number => bins.subarray(0, index + 1).reduce((sum, count) => sum + count, 0);
  return LEGACY_THRESHOLDS.map((_, index) => ({
    both: over(reached.labelled, index),
    predictedOnly: over(reached.other, index),
    labelledOnly: under(reached.labelled, index),
    neither: under(reached.other, index),
  }));
}

/** The published figure over the counts of several cases; NaN without any. A class without a voxel is left out of a mean. */
export function legacyGenesisIou(cases: readonly (readonly LegacyCounts[])[]): number {
  invariant(
    cases.every((counts) => counts.length === LEGACY_THRESHOLDS.length),
    'counts at every threshold',
  );
  return mean(
    LEGACY_THRESHOLDS.map((_, index) => {
      const sum = (key: keyof LegacyCounts): number => cases.reduce((total, counts) => total + (counts[index]?.[key] ?? 0), 0);
      const errors = sum('predictedOnly') + sum('labelledOnly');
      const shares = [sum('both'), sum('neither')].filter((right) => right + errors > 0).map((right) => right / (right + errors));
      return mean(shares);
    }),
  );
}
