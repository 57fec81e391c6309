import { FederationError } from '@consilium/shared/kernel';
import type { GridMap } from '../../preprocessing/resampling/resample-volume.js';
import type { PatchSize } from '../../training/patch-batch.js';
import type { SegmentationClass } from '../tasks/segmentation-task.js';

/** A case in memory: normalised intensities and class map on the same RAS+ grid, row-major [x][y][z]. */
export interface LabelledCase {
  readonly name: string;
  readonly sizeVoxels: PatchSize;
  readonly intensities: Float32Array;
  /** 0 for background, class index + 1 elsewhere. */
  readonly classMap: Uint8Array;
  /** The image's own grid, where the case was resampled and is to be scored: its classes, and where the case's voxels lie on it. */
  readonly own?: { readonly classMap: Uint8Array; readonly fromOwn: GridMap } | undefined;
}

/** Label values → class indices + 1; values of no class are background. */
export function toClassMap(labels: Float32Array, classes: readonly SegmentationClass[]): Uint8Array {
  const lookup = new Map(classes.flatMap(({ labels: values }, index) => values.map((value) => [value, index + 1] as const)));
  const map = new Uint8Array(labels.length);
  for (let voxel = 0; voxel < map.length; voxel++) {
    const value = labels[voxel] as number;
    if (value !== 0) map[voxel] = lookup.get(Math.round(value)) ?? 0;
  }
  return map;
}

/** Class map → label values: each class's first label. */
export function toLabelValues(classMap: Uint8Array, classes: readonly SegmentationClass[]): Uint8Array {
  const values = Uint8Array.from([0, ...classes.map(({ labels }) => labels[0] ?? 0)]);
  return classMap.map((index) => values[index] ?? 0);
}

/** Throws TASK_INVALID when a class occurs in no training label: usually a wrong label value in the task file. */
export function requireEveryClass(classes: readonly SegmentationClass[], occurs: (classIndex: number) => boolean): void {
  const missing = classes.find((_, index) => !occurs(index));
  if (missing === undefined) return;
  throw new FederationError('TASK_INVALID', `classes: no training label holds ${missing.name} (${missing.labels.join(', ')})`, {
    remedy:
      'Check the label values of the class; a viewer shows which values the label files hold. Nor must spacingMm be too coarse.',
  });
}
