import { FederationError } from '@consilium/shared/kernel';
import type { PatchSize } from '../training/patch-batch.js';
import type { CaseFiles, SegmentationClass } from './segmentation-task.js';

/** A case in memory: normalised intensities and class map on the same RAS+ grid, row-major [x][y][z]. */
export interface LabelledCase {
  readonly name: string;
  readonly sizeVoxels: PatchSize;
  readonly intensities: Float32Array;
  /** 0 for background, class index + 1 elsewhere. */
  readonly classMap: Uint8Array;
}

/** The geometry of a volume, as far as an image and its label must agree. */
export interface Grid {
  readonly sizeVoxels: readonly number[];
  readonly affine: readonly number[];
}

/** How far, in millimetres, the corners of image and label may lie apart: header rounding, never a shifted label. */
const GRID_TOLERANCE_MM = 0.1;

/** Throws TASK_INVALID naming case and file when image and label do not lie on the same voxel grid. */
export function requireSameGrid(image: Grid, label: Grid, files: CaseFiles): void {
  const [ours, theirs] = [image.sizeVoxels.join('x'), label.sizeVoxels.join('x')];
  if (ours !== theirs) {
    throw mismatch(files, `has ${theirs} voxels, its image ${ours} (in RAS order)`);
  }
  const apart = cornerDistanceMm(image, label);
  if (!(apart <= GRID_TOLERANCE_MM)) {
    throw mismatch(files, `lies ${apart.toFixed(2)} mm away from its image`);
  }
}

function mismatch(files: CaseFiles, detail: string): FederationError {
  return new FederationError('TASK_INVALID', `case ${files.name}: the label ${files.label} ${detail}`, {
    remedy: 'Resample the label onto the image, or name the image that it was drawn on.',
  });
}

/** The largest distance between the same corner of two grids of one size. */
function cornerDistanceMm(a: Grid, b: Grid): number {
  const [x, y, z] = a.sizeVoxels.map((side) => side - 1);
  let largest = 0;
  for (let corner = 0; corner < 8; corner++) {
    const voxel = [corner & 1 ? x : 0, corner & 2 ? y : 0, corner & 4 ? z : 0];
    const [p, q] = [toMm(a.affine, voxel), toMm(b.affine, voxel)];
    largest = Math.max(largest, Math.hypot(...p.map((value, axis) => value - (q[axis] ?? NaN))));
  }
  return largest;
}

function toMm(affine: readonly number[], voxel: readonly (number | undefined)[]): number[] {
  return [0, 1, 2].map((row) => {
    const at = (column: number): number => affine[4 * row + column] ?? NaN;
    return at(0) * (voxel[0] ?? 0) + at(1) * (voxel[1] ?? 0) + at(2) * (voxel[2] ?? 0) + at(3);
  });
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
export function requireEveryClass(cases: readonly LabelledCase[], classes: readonly SegmentationClass[]): void {
  const missing = classes.find((_, index) => cases.every(({ classMap }) => !classMap.includes(index + 1)));
  if (missing === undefined) return;
  throw new FederationError('TASK_INVALID', `classes: no training label holds ${missing.name} (${missing.labels.join(', ')})`, {
    remedy: 'Check the label values of the class; a viewer shows which values the label files hold.',
  });
}
