/**
 * Soft Dice (Milletari et al., 3DV 2016) with the smoothing that Models Genesis fine-tunes with: 1 − (2Σyp + 1)/(Σy + Σp + 1)
 * over the flattened batch; for several outputs, the mean over the output channels.
 */
import { Arithmetic } from '../arithmetic.js';
import { FLOAT } from '../attributes.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Tensor } from '../tensor.js';
import { diceOfSums } from './dice-of-sums.js';
import type { Loss, LossValue } from './loss.js';

const SMOOTHING = 1;

export const softDice: Loss = { separable: false, evaluate };

function evaluate(runtime: Runtime, logits: Tensor, target: Tensor, share: number): LossValue {
  const c = new Arithmetic(runtime);
  const prediction = runtime.runOne('Sigmoid', FLOAT, [logits]);
  const overlap = channelSums(runtime, c.times(prediction.keep(), target.keep()));
  const sums = { overlap, predicted: channelSums(runtime, prediction.keep()), wanted: channelSums(runtime, target.keep()) };
  const { loss, factor, summand } = diceOfSums(sums, SMOOTHING, share);
  const scaled = c.times(target.keep(), runtime.tensor(factor, [factor.length]));
  const slope = c.plus(scaled, runtime.tensor(summand, [summand.length]));
  return { loss, gradient: c.apply('SigmoidGrad', prediction, slope) };
}

/** The sum of each channel; frees the tensor. */
function channelSums(runtime: Runtime, tensor: Tensor): Float32Array {
  const sums = new Arithmetic(runtime).sum(tensor, [...tensor.shape.keys()].slice(0, -1));
  const values = runtime.read(sums);
  sums.free();
  return values;
}
