/** Blurs by a Gaussian, one axis after the other; beyond the border the patch is mirrored, as SciPy's gaussian_filter does. */
import type { Random } from '@consilium/shared/kernel';
import type { PatchSize } from '../../training/patch-batch.js';
import { type Patch, requireProbability, type Transform } from '../transform.js';
import { exponential } from './exact-functions.js';
import { type Bounds, requireBounds } from './labelled-patch.js';

export interface GaussianBlurParameters {
  readonly probability: number;
  readonly deviationVoxels: Bounds;
}

export interface GaussianBlurDrawing {
  readonly deviationVoxels: number;
}

/** Where the kernel ends, in deviations. */
const TRUNCATE = 4;

export const gaussianBlur: Transform<GaussianBlurParameters, GaussianBlurDrawing | undefined> = {
  name: 'gaussian-blur',

  draw(
    { probability, deviationVoxels }: GaussianBlurParameters,
    _size: PatchSize,
    random: Random,
  ): GaussianBlurDrawing | undefined {
    requireProbability('blurProbability', probability);
    requireBounds('blurDeviationVoxels', deviationVoxels, 0.1, 100);
    return random.chance(probability) ? { deviationVoxels: random.between(...deviationVoxels) } : undefined;
  },

  apply(drawing: GaussianBlurDrawing | undefined, patch: Patch): Patch {
    if (drawing === undefined) return patch;
    const kernel = halfKernel(drawing.deviationVoxels);
    const voxels = Float32Array.from(patch.voxels);
    for (const axis of [0, 1, 2] as const) blurAxis(voxels, patch.sizeVoxels, axis, kernel);
    return { sizeVoxels: patch.sizeVoxels, voxels };
  },
};

/** Weights from the centre outwards; with both sides they add up to 1. */
function halfKernel(deviation: number): Float64Array {
  const radius = Math.floor(TRUNCATE * deviation + 0.5);
  const weights = Float64Array.from({ length: radius + 1 }, (_, offset) =>
    exponential((-0.5 * offset * offset) / (deviation * deviation)),
  );
  const sum = weights.reduce((total, weight, offset) => total + (offset === 0 ? weight : 2 * weight), 0);
  return weights.map((weight) => weight / sum);
}

/**
 * In place, whole slabs at a time: the rows of one position are added up from rows that lie next to each other in memory,
 * which for x and y runs along z and is quick.
 */
function blurAxis(voxels: Float32Array, size: PatchSize, axis: 0 | 1 | 2, kernel: Float64Array): void {
  const length = size[axis];
  const inner = size.slice(axis + 1).reduce((product, side) => product * side, 1);
  const block = length * inner;
  const radius = kernel.length - 1;
  const rows = Int32Array.from({ length: length + 2 * radius }, (_, at) => mirrored(at - radius, length) * inner);
  const sums = new Float64Array(block);
  for (let start = 0; start < voxels.length; start += block) {
    if (inner === 1) {
      blurRun(sums, voxels, start, rows, kernel);
      voxels.set(sums, start);
      continue;
    }
    sums.fill(0);
    for (let at = 0; at < length; at++) {
      addRow(sums, at * inner, voxels, start + at * inner, start + at * inner, inner, (kernel[0] as number) / 2);
      for (let offset = 1; offset <= radius; offset++) {
        const before = start + (rows[at + radius - offset] as number);
        const after = start + (rows[at + radius + offset] as number);
        addRow(sums, at * inner, voxels, before, after, inner, kernel[offset] as number);
      }
    }
    voxels.set(sums, start);
  }
}

/** One run along z, whose voxels are rows of one. */
function blurRun(sums: Float64Array, voxels: Float32Array, start: number, rows: Int32Array, kernel: Float64Array): void {
  const radius = kernel.length - 1;
  for (let at = 0; at < sums.length; at++) {
    let sum = (kernel[0] as number) * (voxels[start + at] as number);
    for (let offset = 1; offset <= radius; offset++) {
      const before = voxels[start + (rows[at + radius - offset] as number)] as number;
      const after = voxels[start + (rows[at + radius + offset] as number)] as number;
      sum += (kernel[offset] as number) * (before + after);
    }
    sums[at] = sum;
  }
}

/** Adds two rows, weighted alike. */
function addRow(
  sums: Float64Array,
  to: number,
  voxels: Float32Array,
  before: number,
  after: number,
  count: number,
  weight: number,
): void {
  for (let i = 0; i < count; i++) {
    const sum = (voxels[before + i] as number) + (voxels[after + i] as number);
    sums[to + i] = (sums[to + i] as number) + weight * sum;
  }
}

/** … 1 0 | 0 1 2 … n−1 | n−1 n−2 …, as often as the border lies away. */
function mirrored(index: number, length: number): number {
  const period = 2 * length;
  const within = ((index % period) + period) % period;
  return within < length ? within : period - 1 - within;
}
