import type { Triple } from '../volumes/volume.js';
import type { Box } from './resampling/resample-axis.js';

/** Part of a volume: its first voxel and its sides. */
export interface Region {
  readonly start: Triple;
  readonly size: Triple;
}

/**
 * The smallest region that holds every voxel above the threshold, widened by a margin (in voxels) but never beyond the volume.
 * The whole volume when no voxel is above it.
 */
export function foregroundRegion({ sizeVoxels, voxels }: Box, threshold: number, margin: Triple): Region {
  const [nx, ny, nz] = sizeVoxels;
  const low = [nx, ny, nz] as [number, number, number];
  const high = [-1, -1, -1] as [number, number, number];
  for (let x = 0; x < nx; x++) {
    for (let y = 0; y < ny; y++) {
      const row = (x * ny + y) * nz;
      let first = 0;
      while (first < nz && !((voxels[row + first] as number) > threshold)) first++;
      if (first === nz) continue;
      let last = nz - 1;
      while (!((voxels[row + last] as number) > threshold)) last--;
      widen(low, high, [x, y, first]);
      widen(low, high, [x, y, last]);
    }
  }
  if (high[0] < 0) return { start: [0, 0, 0], size: sizeVoxels };
  const start = low.map((value, axis) => Math.max(0, value - (margin[axis] ?? 0)));
  const size = high.map((value, axis) => Math.min(sizeVoxels[axis] ?? 0, value + (margin[axis] ?? 0) + 1) - (start[axis] ?? 0));
  return { start: start as unknown as Triple, size: size as unknown as Triple };
}

function widen(low: [number, number, number], high: [number, number, number], voxel: Triple): void {
  for (const axis of [0, 1, 2] as const) {
    if (voxel[axis] < low[axis]) low[axis] = voxel[axis];
    if (voxel[axis] > high[axis]) high[axis] = voxel[axis];
  }
}

/** The voxels of a region, in memory of their own; the box itself when the region is all of it. */
export function cropBox(box: Box, { start, size }: Region): Box {
  if (size.every((side, axis) => side === box.sizeVoxels[axis])) return box;
  const [, ny, nz] = box.sizeVoxels;
  const voxels = new Float32Array(size[0] * size[1] * size[2]);
  for (let x = 0; x < size[0]; x++) {
    for (let y = 0; y < size[1]; y++) {
      const from = ((start[0] + x) * ny + start[1] + y) * nz + start[2];
      voxels.set(box.voxels.subarray(from, from + size[2]), (x * size[1] + y) * size[2]);
    }
  }
  return { sizeVoxels: size, voxels };
}

/** The affine of a region: its first voxel is where that voxel of the volume was. */
export function regionAffine(affine: readonly number[], { start }: Region): number[] {
  return affine.map((value, index) => {
    const row = Math.floor(index / 4);
    if (index % 4 !== 3 || row === 3) return value;
    return value + start.reduce((sum, voxels, axis) => sum + (affine[4 * row + axis] ?? 0) * voxels, 0);
  });
}
