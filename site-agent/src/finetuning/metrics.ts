/** What training looks at in its validation cases; the measures of finished models are in evaluation/metrics. */
export { countOverlap, dice, foregroundIou, type OverlapCounts } from '../evaluation/metrics/overlap.js';
export { mean } from '../evaluation/metrics/mean.js';

/**
 * Soft Dice loss of spec A7, 1 − (2Σyp + 1)/(Σy + Σp + 1), per class over a whole case, averaged over the classes.
 * `probabilities` has one value per voxel and class, class fastest.
 */
export function softDiceLoss(probabilities: Float32Array, labelled: Uint8Array, classes: number): number {
  let loss = 0;
  for (let index = 0; index < classes; index++) {
    let [both, sum] = [0, 0];
    for (let voxel = 0; voxel < labelled.length; voxel++) {
      const probability = probabilities[voxel * classes + index] as number;
      const target = labelled[voxel] === index + 1 ? 1 : 0;
      both += probability * target;
      sum += probability + target;
    }
    loss += 1 - (2 * both + 1) / (sum + 1);
  }
  return loss / classes;
}

/** The most probable class of each voxel among those above one half, as a class map (0 = none). */
export function classMapOf(probabilities: Float32Array, classes: number): Uint8Array {
  const map = new Uint8Array(probabilities.length / classes);
  for (let voxel = 0; voxel < map.length; voxel++) {
    let best = 0.5;
    for (let index = 0; index < classes; index++) {
      const probability = probabilities[voxel * classes + index] as number;
      if (probability > best) {
        best = probability;
        map[voxel] = index + 1;
      }
    }
  }
  return map;
}
