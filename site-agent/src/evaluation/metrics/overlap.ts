/**
 * Overlap of a predicted and a labelled mask: Dice (Dice, Ecology 1945; Sørensen 1948), foreground intersection over union
 * (Jaccard 1912), and what counts of voxels say of sensitivity and positive predictive value.
 */
import { invariant } from '@consilium/shared/kernel';

/** Voxel counts of one class in one case; every measure of overlap follows from them. */
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
    if ((ours | theirs) === 0) continue;
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

/** The share of labelled voxels that were found; null when nothing is labelled. */
export function voxelSensitivity({ labelled, both }: OverlapCounts): number | null {
  return labelled === 0 ? null : both / labelled;
}

/** The share of predicted voxels that are labelled; null when nothing was predicted. */
export function voxelPpv({ predicted, both }: OverlapCounts): number | null {
  return predicted === 0 ? null : both / predicted;
}
