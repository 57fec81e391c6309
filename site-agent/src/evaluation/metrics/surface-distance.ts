/**
 * Distances between surfaces in millimetres. HD95: the larger of the two directed 95th percentiles (Huttenlocher et al., PAMI
 * 1993, ranked Hausdorff distance; Maier-Hein et al., Nature Methods 2024, "Metrics reloaded"). ASSD: the mean over all
 * surface voxels of both masks (Heimann et al., TMI 2009).
 *
 * The surface of a mask is its voxels with at least one of their six neighbours outside the mask, the image's edge counting as
 * outside; distances go from voxel centre to voxel centre.
 */
import { invariant } from '@consilium/shared/kernel';
import { type Box, boundsOf } from './bounds.js';
import { type DistanceGrid, squaredDistances } from './distance-transform.js';
import { percentileOfSorted } from './percentile.js';

/** Null when a mask is empty: where there is no surface there is no distance, and no number stands for it. */
export interface SurfaceDistances {
  readonly hd95Mm: number | null;
  readonly assdMm: number | null;
}

/** Of one class: 1-based value in two class maps on one grid. */
export function surfaceDistances(
  predicted: Uint8Array,
  labelled: Uint8Array,
  value: number,
  grid: DistanceGrid,
): SurfaceDistances {
  invariant(predicted.length === labelled.length, 'a prediction has the voxels of its label');
  const box = boundsOf([predicted, labelled], value, grid.sizeVoxels);
  if (box === undefined) return { hd95Mm: null, assdMm: null };
  // All that is far from both masks cannot be the nearest: the transform needs no more than the box around them.
  const part = { sizeVoxels: box.sizeVoxels, spacingMm: grid.spacingMm };
  const ours = surfaceOf(cut(predicted, value, grid.sizeVoxels, box), box.sizeVoxels);
  const theirs = surfaceOf(cut(labelled, value, grid.sizeVoxels, box), box.sizeVoxels);
  const [there, back] = [distancesFrom(ours, theirs, part), distancesFrom(theirs, ours, part)];
  if (there.length === 0 || back.length === 0) return { hd95Mm: null, assdMm: null };
  const sum = (values: Float64Array): number => values.reduce((total, distance) => total + distance, 0);
  return {
    hd95Mm: Math.max(percentileOfSorted(there, 0.95), percentileOfSorted(back, 0.95)),
    assdMm: (sum(there) + sum(back)) / (there.length + back.length),
  };
}

/** Distances from each voxel of one surface to the nearest of another, in ascending order. */
function distancesFrom(surface: Uint8Array, other: Uint8Array, grid: DistanceGrid): Float64Array {
  const squared = squaredDistances(other, grid);
  const distances = new Float64Array(surface.reduce((count, voxel) => count + voxel, 0));
  let next = 0;
  for (let voxel = 0; voxel < surface.length; voxel++) {
    if (surface[voxel] === 1) distances[next++] = Math.sqrt(squared[voxel] as number);
  }
  return distances.sort();
}

/** The voxels of a mask that touch its outside through a face. */
export function surfaceOf(mask: Uint8Array, [nx, ny, nz]: readonly [number, number, number]): Uint8Array {
  const surface = new Uint8Array(mask.length);
  let voxel = 0;
  for (let x = 0; x < nx; x++) {
    for (let y = 0; y < ny; y++) {
      for (let z = 0; z < nz; z++, voxel++) {
        if (mask[voxel] === 0) continue;
        const isInside =
          x > 0 && y > 0 && z > 0 && x < nx - 1 && y < ny - 1 && z < nz - 1 && hasAllNeighbours(mask, voxel, ny * nz, nz);
        if (!isInside) surface[voxel] = 1;
      }
    }
  }
  return surface;
}

function hasAllNeighbours(mask: Uint8Array, voxel: number, alongX: number, alongY: number): boolean {
  return (
    mask[voxel - 1] !== 0 &&
    mask[voxel + 1] !== 0 &&
    mask[voxel - alongY] !== 0 &&
    mask[voxel + alongY] !== 0 &&
    mask[voxel - alongX] !== 0 &&
    mask[voxel + alongX] !== 0
  );
}

function cut(map: Uint8Array, value: number, [, ny, nz]: DistanceGrid['sizeVoxels'], { from, sizeVoxels }: Box): Uint8Array {
  const [sx, sy, sz] = sizeVoxels;
  const mask = new Uint8Array(sx * sy * sz);
  let write = 0;
  for (let x = 0; x < sx; x++) {
    for (let y = 0; y < sy; y++) {
      const read = ((from[0] + x) * ny + from[1] + y) * nz + from[2];
      for (let z = 0; z < sz; z++, write++) mask[write] = map[read + z] === value ? 1 : 0;
    }
  }
  return mask;
}
