/**
 * Group normalisation (Wu and He, ECCV 2018): statistics over the voxels of one example and a group of neighbouring channels.
 * Batch norm's operation finds the statistics of each channel; those of a group follow from them, and the same operation with
 * given statistics does the rest. (Moving the channels of a group behind each other, so that it could do all, takes twice as long.)
 */
import { invariant } from '@consilium/shared/kernel';
import { FLOAT } from '../attributes.js';
import type { Runtime } from '../runtime/runtime.js';
import { DATA_TYPE } from '../runtime/tensorflow-binding.js';
import type { Tensor } from '../tensor.js';
import { fusedNorm, fusedNormGradient } from './fused-norm.js';
import type { NormKernel, NormSettings } from './norm-kernel.js';

export function byGroupStatistics(settings: NormSettings, groups: number): NormKernel {
  const { runtime, scale, offset, epsilon, rectify } = settings;
  return {
    rowType: () => DATA_TYPE.float32,
    forward: (rows) => {
      const [mean, variance] = groupMoments(runtime, rows, groups);
      const [factor, shift] = [scale.view(), offset.view()];
      const result = fusedNorm(runtime, rows, [factor, shift, mean, variance], { epsilon, own: false, rectify });
      for (const tensor of [factor, shift, result.mean, result.variance, ...result.saved]) tensor.free();
      return { normalised: result.normalised, kept: [mean, variance] };
    },
    backward: (rows, slope, kept) => {
      const factor = scale.view();
      const saved = [...kept, runtime.nothing()];
      const options = { epsilon, own: false, rectify: false };
      const gradients = fusedNormGradient(runtime, rows, slope, { scale: factor, saved }, options);
      slope.free();
      const [back, shift] = throughStatistics(runtime, { factor, ...gradients, kept }, rows, { groups, epsilon });
      const missing = fusedNorm(runtime, rows, [back, shift, ...kept], options);
      const whole = runtime.runOne('AddV2', FLOAT, [gradients.rows, missing.normalised]);
      const spent = [rows, factor, back, shift, gradients.rows, ...kept, ...resultsOf(missing)];
      for (const tensor of spent) tensor.free();
      scale.addGradient(gradients.scale);
      offset.addGradient(gradients.offset);
      return whole;
    },
  };
}

function resultsOf(result: ReturnType<typeof fusedNorm>): Tensor[] {
  return [result.normalised, result.mean, result.variance, ...result.saved];
}

/** Mean and biased variance of each channel's group, [channels] each. */
function groupMoments(runtime: Runtime, rows: Tensor, groups: number): [mean: Tensor, variance: Tensor] {
  const channels = channelsOf(rows, groups);
  const ones = runtime.tensor(new Float32Array(channels).fill(1), [channels]);
  const inputs = [ones, ones, runtime.nothing(), runtime.nothing()];
  const result = fusedNorm(runtime, rows, inputs, { epsilon: 1, own: true, rectify: false });
  const [means, variances] = [runtime.read(result.mean), runtime.read(result.variance)];
  for (const tensor of [ones, ...resultsOf(result)]) tensor.free();
  const voxels = voxelsOf(rows);
  const size = channels / groups;
  const mean = overGroups(means, size, (c) => means[c] as number);
  const variance = overGroups(variances, size, (c) => {
    const biased = ((variances[c] as number) * (voxels - 1)) / voxels;
    return biased + ((means[c] as number) - (mean[c] as number)) ** 2;
  });
  return [runtime.tensor(mean, [channels]), runtime.tensor(variance, [channels])];
}

interface GradientsSoFar {
  readonly factor: Tensor;
  readonly scale: Tensor;
  readonly offset: Tensor;
  readonly kept: readonly Tensor[];
}

/**
 * The part of the gradient that flows through mean and variance, as scale and offset of one more pass over the rows with the
 * same statistics: with x̂ = (x − mean) · r it is −r · (m₁ + x̂ · m₂), m₁ and m₂ the group's means of slope · scale and of
 * slope · scale · x̂.
 */
function throughStatistics(
  runtime: Runtime,
  { factor, scale, offset, kept }: GradientsSoFar,
  rows: Tensor,
  { groups, epsilon }: { groups: number; epsilon: number },
): [scale: Tensor, offset: Tensor] {
  const channels = channelsOf(rows, groups);
  const voxels = voxelsOf(rows);
  const [factors, slopesTimesRows, slopes] = [runtime.read(factor), runtime.read(scale), runtime.read(offset)];
  const variances = kept[1] === undefined ? new Float32Array() : runtime.read(kept[1]);
  const through = (sums: Float32Array): Tensor => {
    const means = overGroups(sums, channels / groups, (c) => ((factors[c] as number) * (sums[c] as number)) / voxels);
    return runtime.tensor(
      means.map((value, c) => -value / Math.sqrt((variances[c] as number) + epsilon)),
      [channels],
    );
  };
  return [through(slopesTimesRows), through(slopes)];
}

/** At each channel the mean over its group, summed in 64 bits. */
function overGroups(like: Float32Array, size: number, valueAt: (channel: number) => number): Float32Array {
  const result = new Float32Array(like.length);
  for (let first = 0; first < like.length; first += size) {
    let sum = 0;
    for (let c = first; c < first + size; c++) sum += valueAt(c);
    result.fill(sum / size, first, first + size);
  }
  return result;
}

function channelsOf({ shape }: Tensor, groups: number): number {
  const channels = shape[shape.length - 1] ?? 0;
  invariant(groups > 0 && channels % groups === 0, 'the channels make up whole groups');
  return channels;
}

function voxelsOf({ shape }: Tensor): number {
  return shape.slice(0, -1).reduce((product, side) => product * side, 1);
}
