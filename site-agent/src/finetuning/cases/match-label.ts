/** Image and label must show the same place: their grids are compared in millimetres, whatever the order of their axes. */
import { FederationError } from '@consilium/shared/kernel';
import { type Affine, closestOrientation, type Orientation, rasLayout, reorientAffine } from '../../volumes/orientation.js';
import { spreadVoxels } from '../../volumes/spread-voxels.js';

/** The geometry of a volume, as far as an image and its label must agree. */
export interface Grid {
  readonly sizeVoxels: readonly number[];
  readonly affine: readonly number[];
}

/** What names a label in an error. */
interface NamedLabel {
  readonly name: string;
  readonly label: string;
}

/** How far, in millimetres, the corners of image and label may lie apart: header rounding, never a shifted label. */
const GRID_TOLERANCE_MM = 0.1;

/**
 * The label's voxels in the order of the image's. Between two oblique directions, header rounding may let image and label be
 * read with their axes in different orders; that is undone. Throws TASK_INVALID naming case and file when they do not lie on
 * one grid.
 */
export function matchLabel(image: Grid, label: Grid & { readonly voxels: Float32Array }, files: NamedLabel): Float32Array {
  const turn = turnBetween(image.affine, label.affine);
  const turned = turn === undefined ? label : gridAfter(label, turn);
  requireSameGrid(image, turned, files);
  return turn === undefined ? label.voxels : reorder(label, turn);
}

/** Throws TASK_INVALID naming case and file when image and label do not lie on the same voxel grid. */
export function requireSameGrid(image: Grid, label: Grid, files: NamedLabel): void {
  const [ours, theirs] = [image.sizeVoxels.join('x'), label.sizeVoxels.join('x')];
  if (ours !== theirs) {
    throw mismatch(files, `has ${theirs} voxels, its image ${ours} (in RAS order)`);
  }
  const apart = cornerDistanceMm(image, label);
  if (!(apart <= GRID_TOLERANCE_MM)) {
    throw mismatch(files, `lies ${apart.toFixed(2)} mm away from its image`);
  }
}

function mismatch({ name, label }: NamedLabel, detail: string): FederationError {
  return new FederationError('TASK_INVALID', `case ${name}: the label ${label} ${detail}`, {
    remedy:
      'Resample the label onto the image, or name the image that it was drawn on; "site-agent convert" writes an image as NIfTI, for comparison.',
  });
}

/** Which axes of the image the label's axes lie along; undefined when they are the same. */
function turnBetween(image: Affine, label: Affine): Orientation | undefined {
  const relative = relativeDirections(image, label);
  const turn = relative && closestOrientation(relative);
  const same = turn === undefined || turn.rasAxis.every((axis, index) => axis === index && turn.flipped[index] === false);
  return same ? undefined : turn;
}

/** The label's directions on the image's own axes, as far as those are at right angles. */
function relativeDirections(image: Affine, label: Affine): Affine | undefined {
  const entry = (affine: Affine, row: number, column: number): number => affine[4 * row + column] ?? NaN;
  const along = (ours: number, theirs: number): number => {
    const squared = [0, 1, 2].reduce((sum, row) => sum + entry(image, row, ours) ** 2, 0);
    return [0, 1, 2].reduce((sum, row) => sum + entry(image, row, ours) * entry(label, row, theirs), 0) / squared;
  };
  const rows = [0, 1, 2].map((ours) => [along(ours, 0), along(ours, 1), along(ours, 2), 0]).flat();
  return rows.every(Number.isFinite) ? [...rows, 0, 0, 0, 1] : undefined;
}

function gridAfter({ sizeVoxels, affine }: Grid, turn: Orientation): Grid {
  return { sizeVoxels: rasLayout(sizeVoxels, turn).sizeVoxels, affine: reorientAffine(affine, turn, sizeVoxels) };
}

function reorder({ sizeVoxels, voxels }: Grid & { readonly voxels: Float32Array }, turn: Orientation): Float32Array {
  const [nx = 1, ny = 1, nz = 1] = sizeVoxels;
  const { base, steps } = rasLayout(sizeVoxels, turn);
  const target = new Float32Array(voxels.length);
  spreadVoxels(voxels, target, {
    counts: [nx, ny, nz],
    readSteps: [ny * nz, nz, 1],
    writeBase: base,
    writeSteps: steps,
    inner: 2,
  });
  return target;
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
