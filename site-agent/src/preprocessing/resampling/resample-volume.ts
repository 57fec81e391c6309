import type { Triple } from '../../volumes/volume.js';
import {
  areaTaps,
  type AxisGrid,
  type AxisTaps,
  centredGrid,
  type Interpolation,
  linearTaps,
  nearestSamples,
  splineTaps,
} from './axis-taps.js';
import { type Box, resampleAxis } from './resample-axis.js';
import { toSplineCoefficients } from './spline-coefficients.js';

/** Finer than this share of a sample, grids are one. */
const SAME_STEP = 1e-6;

/** A grid in space: voxels, their distances and where they lie. */
export interface SpatialGrid {
  readonly sizeVoxels: Triple;
  readonly spacingMm: Triple;
  /** 4×4, row-major: voxel → millimetres. */
  readonly affine: readonly number[];
}

/** Where the samples of a grid lie along each axis of another. */
export type GridMap = readonly [AxisGrid, AxisGrid, AxisGrid];

/** What becomes of a grid at another spacing. */
export interface ResampledGrid extends SpatialGrid {
  readonly from: GridMap;
}

/**
 * The grid with this spacing about the same middle. Its sides are size · own spacing / wanted spacing, rounded (MedicalNet's
 * formula is printed upside down; spec B3), and at least one voxel, so that it spans the volume to within half a voxel.
 */
export function gridAtSpacing(grid: SpatialGrid, spacingMm: Triple): ResampledGrid {
  const along = (axis: 0 | 1 | 2): AxisGrid => {
    const step = spacingMm[axis] / grid.spacingMm[axis];
    if (Math.abs(step - 1) < SAME_STEP) return centredGrid(grid.sizeVoxels[axis], grid.sizeVoxels[axis], 1);
    return centredGrid(grid.sizeVoxels[axis], Math.max(1, Math.round(grid.sizeVoxels[axis] / step)), step);
  };
  const from = [along(0), along(1), along(2)] as const;
  return {
    from,
    sizeVoxels: [from[0].outputs, from[1].outputs, from[2].outputs],
    spacingMm: [0, 1, 2].map((axis) => (from[axis]?.step ?? 1) * (grid.spacingMm[axis] ?? 1)) as unknown as Triple,
    affine: movedAffine(grid.affine, from),
  };
}

/** The map of a box onto another size, end to end. */
export function stretchedGrid(size: Triple, toSize: Triple): GridMap {
  const along = (axis: 0 | 1 | 2): AxisGrid => centredGrid(size[axis], toSize[axis], size[axis] / toSize[axis]);
  return [along(0), along(1), along(2)];
}

/** The map back: where the samples of the first grid lie on the second. */
export function inverseMap(map: GridMap): GridMap {
  const back = ({ inputs, outputs, first, step }: AxisGrid): AxisGrid => ({
    inputs: outputs,
    outputs: inputs,
    first: -first / step,
    step: 1 / step,
  });
  return [back(map[0]), back(map[1]), back(map[2])];
}

/**
 * Images: axes that get coarser are averaged over the area of an output voxel (no aliasing), axes that get finer interpolated.
 * Axes that stay are not touched; when all stay, the box itself is returned.
 */
export function resampleImage(box: Box, map: GridMap, interpolation: Interpolation = 'trilinear'): Box {
  const axes = ([0, 1, 2] as const).filter((axis) => !staysAsItIs(map[axis]));
  // What shrinks goes first: the least work and memory for the rest.
  axes.sort((a, b) => map[b].step - map[a].step);
  return axes.reduce(
    (current, axis) => resampleAxis(forTaps(current, map, axis, interpolation), axis, tapsOf(map[axis], interpolation)),
    box,
  );
}

/** Labels: the nearest voxel, never a value between two labels. */
export function resampleLabels<Values extends Uint8Array | Float32Array>(labels: Values, map: GridMap, target: Values): Values {
  const [xs, ys, zs] = [nearestSamples(map[0]), nearestSamples(map[1]), nearestSamples(map[2])];
  const [, ny, nz] = [map[0].inputs, map[1].inputs, map[2].inputs];
  let to = 0;
  for (const x of xs) {
    for (const y of ys) {
      const row = (x * ny + y) * nz;
      for (let k = 0; k < zs.length; k++) target[to++] = labels[row + (zs[k] as number)] as number;
    }
  }
  return target;
}

function staysAsItIs({ inputs, outputs, first, step }: AxisGrid): boolean {
  return inputs === outputs && step === 1 && first === 0;
}

function tapsOf(grid: AxisGrid, interpolation: Interpolation): AxisTaps {
  if (grid.step > 1) return areaTaps(grid);
  return interpolation === 'cubic' ? splineTaps(grid) : linearTaps(grid);
}

/** Spline coefficients instead of samples where an axis is to be interpolated by a spline; the box given is not changed. */
function forTaps(box: Box, map: GridMap, axis: 0 | 1 | 2, interpolation: Interpolation): Box {
  if (interpolation !== 'cubic' || map[axis].step > 1) return box;
  const own = { sizeVoxels: box.sizeVoxels, voxels: box.voxels.slice() };
  toSplineCoefficients(own, axis);
  return own;
}

function movedAffine(affine: readonly number[], map: GridMap): number[] {
  const entry = (row: number, column: number): number => affine[4 * row + column] ?? 0;
  const rows = [0, 1, 2].map((row) => [
    ...([0, 1, 2] as const).map((axis) => entry(row, axis) * map[axis].step),
    ([0, 1, 2] as const).reduce((sum, axis) => sum + entry(row, axis) * map[axis].first, entry(row, 3)),
  ]);
  return [...rows.flat(), 0, 0, 0, 1];
}
