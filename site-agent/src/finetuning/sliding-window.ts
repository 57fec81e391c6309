/**
 * Sliding-window inference (spec A12: patch-sized windows, 50 % overlap, mean of the overlaps). Pure: the caller predicts.
 */
import { FederationError } from '@consilium/shared/kernel';
import type { PatchSize } from '../training/patch-batch.js';

export type WindowStart = readonly [x: number, y: number, z: number];

/** First voxels of the windows along one axis: evenly spread, the last one flush with the end. */
export function axisStarts(sizeVoxels: number, patchVoxels: number, overlap: number): number[] {
  // A short axis has one window around it; a negative start means padding before the first voxel.
  if (sizeVoxels <= patchVoxels) return [0 - Math.floor((patchVoxels - sizeVoxels) / 2)];
  const stride = Math.max(1, Math.floor(patchVoxels * (1 - overlap)));
  const last = sizeVoxels - patchVoxels;
  const count = Math.ceil(last / stride) + 1;
  return Array.from({ length: count }, (_, index) => Math.round((index * last) / (count - 1)));
}

/** All windows of a volume, x slowest. Throws ARGUMENT_INVALID unless 0 ≤ overlap < 1. */
export function planWindows(sizeVoxels: PatchSize, patch: PatchSize, overlap = 0.5): WindowStart[] {
  if (!(overlap >= 0 && overlap < 1)) {
    throw new FederationError('ARGUMENT_INVALID', `an overlap of ${overlap} is outside [0, 1)`, {
      remedy: 'Use 0.5, for example.',
    });
  }
  const [xs, ys, zs] = [0, 1, 2].map((axis) => axisStarts(sizeVoxels[axis] ?? 0, patch[axis] ?? 1, overlap));
  return (xs ?? []).flatMap((x) => (ys ?? []).flatMap((y) => (zs ?? []).map((z) => [x, y, z] as const)));
}

/** Where a patch that may reach past the volume overlaps it, along one axis. */
export function axisOverlap(start: number, patchVoxels: number, sizeVoxels: number): { from: number; to: number } {
  return { from: Math.max(0, start), to: Math.min(sizeVoxels, start + patchVoxels) };
}

/** Copies a patch out of a row-major [x][y][z] volume into `target` at `offset`; voxels outside the volume become 0. */
export function cutPatch<T extends Float32Array | Uint8Array>(
  voxels: T,
  sizeVoxels: PatchSize,
  start: WindowStart,
  patch: PatchSize,
  target: T,
  offset = 0,
): void {
  const [, sy, sz] = sizeVoxels;
  const [px, py, pz] = patch;
  const [x, y, z] = [0, 1, 2].map((axis) => axisOverlap(start[axis] ?? 0, patch[axis] ?? 0, sizeVoxels[axis] ?? 0));
  target.fill(0, offset, offset + px * py * pz);
  if (x === undefined || y === undefined || z === undefined || z.to <= z.from) return;
  for (let i = x.from; i < x.to; i++) {
    for (let j = y.from; j < y.to; j++) {
      const from = (i * sy + j) * sz + z.from;
      const to = offset + ((i - start[0]) * py + (j - start[1])) * pz + (z.from - start[2]);
      target.set(voxels.subarray(from, from + z.to - z.from), to);
    }
  }
}

/** Predicts one patch: voxels in, patch voxels × outputs out (output fastest). */
export type PredictPatch = (patch: Float32Array) => Float32Array;

/** The mean of all window predictions for each voxel: volume voxels × outputs, output fastest. */
export function predictVolume(
  voxels: Float32Array,
  sizeVoxels: PatchSize,
  patch: PatchSize,
  outputs: number,
  predict: PredictPatch,
  overlap = 0.5,
): Float32Array {
  const sums = new Float32Array(voxels.length * outputs);
  const input = new Float32Array(patch[0] * patch[1] * patch[2]);
  for (const start of planWindows(sizeVoxels, patch, overlap)) {
    cutPatch(voxels, sizeVoxels, start, patch, input);
    addWindow(predict(input), { sums, outputs }, sizeVoxels, start, patch);
  }
  divideByWindows({ sums, outputs }, sizeVoxels, patch, overlap);
  return sums;
}

interface Accumulator {
  readonly sums: Float32Array;
  readonly outputs: number;
}

/** Windows lie in a grid, so that those over a voxel are the product of those along the axes: no array of counts is needed. */
function divideByWindows({ sums, outputs }: Accumulator, sizeVoxels: PatchSize, patch: PatchSize, overlap: number): void {
  const [sx, sy, sz] = sizeVoxels;
  const alongX = windowsAlong(sx, patch[0], overlap);
  const alongY = windowsAlong(sy, patch[1], overlap);
  const alongZ = windowsAlong(sz, patch[2], overlap);
  let at = 0;
  for (const x of alongX) {
    for (const y of alongY) {
      for (const z of alongZ) {
        for (let output = 0; output < outputs; output++, at++) sums[at] = (sums[at] as number) / (x * y * z);
      }
    }
  }
}

/** Windows over each voxel of an axis. */
function windowsAlong(sizeVoxels: number, patchVoxels: number, overlap: number): Uint16Array {
  const counts = new Uint16Array(sizeVoxels);
  for (const start of axisStarts(sizeVoxels, patchVoxels, overlap)) {
    const { from, to } = axisOverlap(start, patchVoxels, sizeVoxels);
    for (let voxel = from; voxel < to; voxel++) counts[voxel] = (counts[voxel] as number) + 1;
  }
  return counts;
}

function addWindow(
  values: Float32Array,
  { sums, outputs }: Accumulator,
  sizeVoxels: PatchSize,
  start: WindowStart,
  patch: PatchSize,
): void {
  const [, sy, sz] = sizeVoxels;
  const [, py, pz] = patch;
  const [x, y, z] = [0, 1, 2].map((axis) => axisOverlap(start[axis] ?? 0, patch[axis] ?? 0, sizeVoxels[axis] ?? 0));
  if (x === undefined || y === undefined || z === undefined) return;
  for (let i = x.from; i < x.to; i++) {
    for (let j = y.from; j < y.to; j++) {
      let source = (((i - start[0]) * py + (j - start[1])) * pz + (z.from - start[2])) * outputs;
      const first = ((i * sy + j) * sz + z.from) * outputs;
      for (let at = first; at < first + (z.to - z.from) * outputs; at++, source++)
        sums[at] = (sums[at] as number) + (values[source] as number);
    }
  }
}
