import type { PatchSize } from '../../training/patch-batch.js';

/** The first voxel of a patch or window; negative where it begins before its volume. */
export type WindowStart = readonly [x: number, y: number, z: number];

/** Where a patch that may reach past the volume overlaps it, along one axis. */
export function axisOverlap(start: number, patchVoxels: number, sizeVoxels: number): { from: number; to: number } {
  return { from: Math.max(0, start), to: Math.min(sizeVoxels, start + patchVoxels) };
}

/** Copies a patch out of a row-major [x][y][z] volume into `target`; voxels outside the volume become 0. */
export function cutPatch<T extends Float32Array | Uint8Array>(
  voxels: T,
  sizeVoxels: PatchSize,
  start: WindowStart,
  patch: PatchSize,
  target: T,
): void {
  const [, sy, sz] = sizeVoxels;
  const [px, py, pz] = patch;
  const [x, y, z] = [0, 1, 2].map((axis) => axisOverlap(start[axis] ?? 0, patch[axis] ?? 0, sizeVoxels[axis] ?? 0));
  target.fill(0, 0, px * py * pz);
  if (x === undefined || y === undefined || z === undefined || z.to <= z.from) return;
  for (let i = x.from; i < x.to; i++) {
    for (let j = y.from; j < y.to; j++) {
      const from = (i * sy + j) * sz + z.from;
      const to = ((i - start[0]) * py + (j - start[1])) * pz + (z.from - start[2]);
      target.set(voxels.subarray(from, from + z.to - z.from), to);
    }
  }
}
