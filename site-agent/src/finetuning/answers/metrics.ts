/** What training looks at in its validation cases; the measures of finished models are in evaluation/metrics. */
export { countOverlap, dice, foregroundIou, type OverlapCounts } from '../../evaluation/metrics/overlap.js';
export { mean } from '../../evaluation/metrics/mean.js';

/**
 * Soft Dice loss of spec A7 for one class over a whole case: 1 − (2Σyp + 1)/(Σy + Σp + 1). `value` is what the class map holds where
 * the class is labelled.
 */
export function softDiceLoss(probabilities: Float32Array, labelled: Uint8Array, value: number): number {
  let [both, sum] = [0, 0];
  for (let voxel = 0; voxel < labelled.length; voxel++) {
    const probability = probabilities[voxel] as number;
    const target = labelled[voxel] === value ? 1 : 0;
    both += probability * target;
    sum += probability + target;
  }
  return 1 - (2 * both + 1) / (sum + 1);
}
