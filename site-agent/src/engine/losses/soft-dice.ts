/**
 * Soft Dice (Milletari et al., 3DV 2016) with the smoothing that Models Genesis fine-tunes with: 1 − (2Σyp + 1)/(Σy + Σp + 1)
 * over the flattened batch; for several outputs, the mean over the output channels.
 */
import { elementType, flag, FLOAT } from '../attributes.js';
import type { Runtime } from '../runtime/runtime.js';
import { DATA_TYPE } from '../runtime/tensorflow-binding.js';
import type { Tensor } from '../tensor.js';
import type { Loss, LossValue } from './loss.js';

const SMOOTHING = 1;
const PER_CHANNEL = [elementType('T'), elementType('Tidx', DATA_TYPE.int32), flag('keep_dims', false)];

export const softDice: Loss = { separable: false, evaluate };

function evaluate(runtime: Runtime, logits: Tensor, target: Tensor, share: number): LossValue {
  const prediction = runtime.runOne('Sigmoid', FLOAT, [logits]);
  const product = runtime.runOne('Mul', FLOAT, [prediction, target]);
  const overlap = channelSums(runtime, product);
  product.free();
  const predicted = channelSums(runtime, prediction);
  const wanted = channelSums(runtime, target);
  const channels = overlap.length;
  // d/dp of −(2I + 1)/(S + 1) is factor · y + summand, with one factor and one summand per channel.
  const factor = new Float32Array(channels);
  const summand = new Float32Array(channels);
  let loss = 0;
  for (let c = 0; c < channels; c++) {
    const numerator = 2 * (overlap[c] as number) + SMOOTHING;
    const denominator = (predicted[c] as number) + (wanted[c] as number) + SMOOTHING;
    loss += (1 - numerator / denominator) / channels;
    factor[c] = (-2 * share) / (channels * denominator);
    summand[c] = (share * numerator) / (channels * denominator * denominator);
  }
  const gradient = logitGradient(runtime, prediction, target, factor, summand);
  prediction.free();
  return { loss: share * loss, gradient };
}

function logitGradient(
  runtime: Runtime,
  prediction: Tensor,
  target: Tensor,
  factor: Float32Array,
  summand: Float32Array,
): Tensor {
  const factors = runtime.tensor(factor, [factor.length]);
  const summands = runtime.tensor(summand, [summand.length]);
  const scaled = runtime.runOne('Mul', FLOAT, [target, factors]);
  const slope = runtime.runOne('AddV2', FLOAT, [scaled, summands]);
  const gradient = runtime.runOne('SigmoidGrad', FLOAT, [prediction, slope]);
  for (const tensor of [factors, summands, scaled, slope]) tensor.free();
  return gradient;
}

function channelSums(runtime: Runtime, tensor: Tensor): Float32Array {
  const sums = runtime.runOne('Sum', PER_CHANNEL, [tensor, runtime.integers([0, 1, 2, 3])]);
  const values = runtime.read(sums);
  sums.free();
  return values;
}
