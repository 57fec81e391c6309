import type { Triple, Volume } from '../../volumes/volume.js';

/** A volume on cells of equal sides, in RAS order [x][y][z], z fastest. */
export interface CoarseGrid {
  readonly size: Triple;
  readonly cellMm: number;
  /** Height of the grid's lower border above the volume's. */
  readonly bottomMm: number;
  readonly values: Float32Array;
}

/** So many voxels along each side of a cell are averaged. */
const SAMPLES = 2;

/**
 * Means of a few voxels for every cell, from the top down to a depth: enough to see shapes, at a small part of the cost of
 * reading every voxel.
 */
export function coarsen({ sizeVoxels, spacingMm, voxels }: Volume, cellMm: number, depthMm: number): CoarseGrid {
  const heightMm = sizeVoxels[2] * spacingMm[2];
  const bottomMm = Math.max(0, heightMm - depthMm);
  const extentMm: Triple = [sizeVoxels[0] * spacingMm[0], sizeVoxels[1] * spacingMm[1], heightMm - bottomMm];
  const cells = (axis: 0 | 1 | 2): number => Math.max(1, Math.floor(extentMm[axis] / cellMm));
  const size: Triple = [cells(0), cells(1), cells(2)];
  const [xs, ys, zs] = [0, 1, 2].map((axis) => samplesAlong(axis as 0 | 1 | 2));
  const values = new Float32Array(size[0] * size[1] * size[2]);
  if (xs === undefined || ys === undefined || zs === undefined) return { size, cellMm, bottomMm, values };
  const share = 1 / SAMPLES ** 3;
  for (let x = 0; x < xs.length; x++) {
    for (let y = 0; y < ys.length; y++) {
      const row = ((xs[x] as number) * sizeVoxels[1] + (ys[y] as number)) * sizeVoxels[2];
      const target = (((x / SAMPLES) | 0) * size[1] + ((y / SAMPLES) | 0)) * size[2];
      for (let z = 0; z < zs.length; z++) {
        const at = target + ((z / SAMPLES) | 0);
        values[at] = (values[at] as number) + share * (voxels[row + (zs[z] as number)] as number);
      }
    }
  }
  return { size, cellMm, bottomMm, values };

  function samplesAlong(axis: 0 | 1 | 2): Int32Array {
    const count = cells(axis) * SAMPLES;
    const startMm = axis === 2 ? bottomMm : 0;
    const voxelAt = (mm: number): number => Math.min(sizeVoxels[axis] - 1, Math.floor(mm / spacingMm[axis]));
    return Int32Array.from({ length: count }, (_, index) => voxelAt(startMm + ((index + 0.5) * cellMm) / SAMPLES));
  }
}
