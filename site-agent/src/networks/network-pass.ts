/** The pieces that all networks are made of: convolutions, norms and linear layers with their parameters looked up by name. */
import type { Activation } from '../engine/activation.js';
import { addBias } from '../engine/ops/bias.js';
import { convolve } from '../engine/ops/convolution.js';
import type { ConvolutionOptions } from '../engine/ops/convolution-geometry.js';
import { linear } from '../engine/ops/linear.js';
import { raise } from '../engine/ops/raise.js';
import { normalise, normaliseLeaky, type NormOptions } from '../engine/ops/normalise.js';
import { convolveTransposed } from '../engine/ops/transposed-convolution.js';
import type { ParameterSet } from '../engine/parameters.js';
import type { Tape } from '../engine/tape.js';
import { hidesBias, type NormPlan, statisticsOver } from './norm-plan.js';

/** One way through a network. */
export interface NetworkPass {
  readonly tape: Tape;
  readonly parameters: ParameterSet;
  readonly norm: NormPlan;
}

/** Convolution NAME.weight, without a bias. */
export function convolution(
  { tape, parameters }: NetworkPass,
  name: string,
  input: Activation | readonly Activation[],
  options: ConvolutionOptions = {},
): Activation {
  return convolve(tape, input, parameters.get(`${name}.weight`), options);
}

/** Adds NAME.bias. */
export function biased({ tape, parameters }: NetworkPass, name: string, input: Activation): Activation {
  return addBias(tape, input, parameters.get(`${name}.bias`));
}

/** As {@link biased} unless the norm that follows takes the bias away again: then it is idle. */
export function biasedForNorm(pass: NetworkPass, name: string, input: Activation): Activation {
  return hidesBias(pass.norm) ? input : biased(pass, name, input);
}

/** Transposed convolution NAME.weight with kernel = stride, without a bias. */
export function transposed({ tape, parameters }: NetworkPass, name: string, input: Activation): Activation {
  return convolveTransposed(tape, input, parameters.get(`${name}.weight`));
}

/** Transposed convolution NAME with kernel = stride and its bias, as U-Nets go up. */
export function raised({ tape, parameters }: NetworkPass, name: string, input: Activation): Activation {
  return raise(tape, input, parameters.get(`${name}.weight`), parameters.get(`${name}.bias`));
}

/** Fully connected layer NAME: [examples, in] → [examples, out]. */
export function connected(pass: NetworkPass, name: string, input: Activation): Activation {
  return biased(pass, name, linear(pass.tape, input, pass.parameters.get(`${name}.weight`)));
}

/** Norm NAME. */
export function normalised(pass: NetworkPass, name: string, input: Activation): Activation {
  const { tape, parameters } = pass;
  return normalise(tape, input, parameters.get(`${name}.weight`), parameters.get(`${name}.bias`), optionsOf(pass, name, input));
}

/** Norm NAME, then ReLU. */
export function normalisedRectified(pass: NetworkPass, name: string, input: Activation): Activation {
  const { tape, parameters } = pass;
  const [scale, offset] = [parameters.get(`${name}.weight`), parameters.get(`${name}.bias`)];
  return normaliseLeaky(tape, input, scale, offset, 0, optionsOf(pass, name, input));
}

/** Norm NAME, then leaky ReLU. */
export function normalisedLeaky(pass: NetworkPass, name: string, input: Activation, slope: number): Activation {
  const { tape, parameters } = pass;
  const [scale, offset] = [parameters.get(`${name}.weight`), parameters.get(`${name}.bias`)];
  return normaliseLeaky(tape, input, scale, offset, slope, optionsOf(pass, name, input));
}

function optionsOf({ parameters, norm }: NetworkPass, name: string, input: Activation): NormOptions {
  const over = statisticsOver(norm, channelsOf(input));
  if (!norm.running) return { over };
  const [mean, variance] = [parameters.statistic(`${name}.running_mean`), parameters.statistic(`${name}.running_var`)];
  return { over, running: { mean, variance } };
}

function channelsOf({ shape }: Activation): number {
  return shape[shape.length - 1] as number;
}
