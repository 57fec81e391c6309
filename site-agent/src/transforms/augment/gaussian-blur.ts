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
  const sums = new Float64Array(block);
  for (let start = 0; start < voxels.length; start += block) {
    for (let at = 0; at < length; at++) {
      const row = at * inner;
      const centre = kernel[0] as number;
      for (let i = 0; i < inner; i++) sums[row + i] = centre * (voxels[start + row + i] as number);
      for (let offset = 1; offset < kernel.length; offset++) {
        const weight = kernel[offset] as number;
        const before = start + mirrored(at - offset, length) * inner;
        const after = start + mirrored(at + offset, length) * inner;
        for (let i = 0; i < inner; i++) {
          sums[row + i] = (sums[row + i] as number) + weight * ((voxels[before + i] as number) + (voxels[after + i] as number));
        }
      }
    }
    voxels.set(sums, start);
  }
}

/** … 1 0 | 0 1 2 … n−1 | n−1 n−2 …, as often as the border lies away. */
function mirrored(index: number, length: number): number {
  const period = 2 * length;
  const within = ((index % period) + period) % period;
  return within < length ? within : period - 1 - within;
}
