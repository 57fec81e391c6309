/**
 * Overlap measures of a segmentation (Dice 1945; Jaccard 1912). The published "IoU" of Models Genesis averages background
 * and thresholds (spec A8) and is not comparable; these are plain foreground measures at one threshold.
 */
import { invariant } from '@consilium/shared/kernel';

/** Voxel counts of one class in one case; every measure follows from them. */
export interface OverlapCounts {
  readonly predicted: number;
  readonly labelled: number;
  readonly both: number;
}

/** Class maps hold 0 for background and class index + 1 elsewhere. */
export function countOverlap(predicted: Uint8Array, labelled: Uint8Array, classes: number): OverlapCounts[] {
  invariant(predicted.length === labelled.length, 'a prediction has the voxels of its label');
  const counts = Array.from({ length: classes }, () => ({ predicted: 0, labelled: 0, both: 0 }));
  for (let voxel = 0; voxel < predicted.length; voxel++) {
    const [ours, theirs] = [predicted[voxel] as number, labelled[voxel] as number];
    const [mine, given] = [counts[ours - 1], counts[theirs - 1]];
    if (mine !== undefined) mine.predicted++;
    if (given !== undefined) given.labelled++;
    if (mine !== undefined && ours === theirs) mine.both++;
  }
  return counts;
}

/** 2·|A∩B| / (|A|+|B|); 1 when both are empty: finding nothing where there is nothing is right. */
export function dice({ predicted, labelled, both }: OverlapCounts): number {
  return predicted + labelled === 0 ? 1 : (2 * both) / (predicted + labelled);
}

/** |A∩B| / |A∪B| of the foreground; 1 when both are empty. */
export function foregroundIou({ predicted, labelled, both }: OverlapCounts): number {
  const union = predicted + labelled - both;
  return union === 0 ? 1 : both / union;
}

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

/** NaN for an empty list: a mean over no case is not a number. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
