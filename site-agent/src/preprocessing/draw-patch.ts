import type { Random } from '@consilium/shared/kernel';
import type { PatchSize } from '../training/patch-batch.js';
import { AIR_THRESHOLD } from './intensity.js';
import type { PreparedVolume } from './prepared-volume.js';

const MOST_TRIES = 50;

/**
 * A patch at a uniform position on the native grid, row-major [x][y][z], in memory of its own. The first position whose share
 * of voxels above the air threshold reaches `minimumForeground` is taken, or the best of 50. Along an axis shorter than the
 * patch the volume lies in the middle of air (0), which does not count in the share.
 */
export function drawPatch(volume: PreparedVolume, size: PatchSize, minimumForeground: number, random: Random): Float32Array {
  const covered = size.map((side, axis) => Math.min(side, volume.sizeVoxels[axis] ?? side));
  const voxels = (covered[0] ?? 0) * (covered[1] ?? 0) * (covered[2] ?? 0);
  let best = { start: drawStart(volume, size, random), foreground: -1 };
  let start = best.start;
  for (let tries = 1; ; tries++) {
    const foreground = countForeground(volume, start, covered) / voxels;
    if (foreground > best.foreground) best = { start, foreground };
    if (foreground >= minimumForeground || tries === MOST_TRIES) break;
    start = drawStart(volume, size, random);
  }
  return cutPatch(volume, best.start, size);
}

type Start = readonly [number, number, number];

function drawStart(volume: PreparedVolume, size: PatchSize, random: Random): Start {
  const along = (axis: 0 | 1 | 2): number => random.integer(0, Math.max(0, volume.sizeVoxels[axis] - size[axis]));
  return [along(0), along(1), along(2)];
}

function countForeground({ voxels, sizeVoxels, modality }: PreparedVolume, start: Start, covered: readonly number[]): number {
  const [, ny, nz] = sizeVoxels;
  const [sx = 0, sy = 0, sz = 0] = covered;
  const threshold = AIR_THRESHOLD[modality];
  let count = 0;
  for (let x = start[0]; x < start[0] + sx; x++) {
    for (let y = start[1]; y < start[1] + sy; y++) {
      const run = (x * ny + y) * nz + start[2];
      for (let z = run; z < run + sz; z++) if ((voxels[z] as number) > threshold) count++;
    }
  }
  return count;
}

/** The box at `start`; axes shorter than the patch are centred in zeros. */
export function cutPatch({ voxels, sizeVoxels }: PreparedVolume, start: Start, size: PatchSize): Float32Array {
  const [nx, ny, nz] = sizeVoxels;
  const patch = new Float32Array(size[0] * size[1] * size[2]);
  const margin = size.map((side, axis) => Math.max(0, Math.floor((side - (sizeVoxels[axis] ?? side)) / 2)));
  const [mx = 0, my = 0, mz = 0] = margin;
  const [cx, cy, cz] = [Math.min(size[0], nx), Math.min(size[1], ny), Math.min(size[2], nz)];
  for (let x = 0; x < cx; x++) {
    for (let y = 0; y < cy; y++) {
      const from = ((start[0] + x) * ny + start[1] + y) * nz + start[2];
      patch.set(voxels.subarray(from, from + cz), ((mx + x) * size[1] + my + y) * size[2] + mz);
    }
  }
  return patch;
}
