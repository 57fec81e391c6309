/**
 * Batch norm (Ioffe and Szegedy, ICML 2015), instance norm (Ulyanov et al., arXiv 1607.08022) and group norm (Wu and He,
 * ECCV 2018): scale · (x − mean) / √(variance + epsilon) + offset, with the biased variance.
 */
import { invariant } from '@consilium/shared/kernel';
import type { Activation } from '../activation.js';
import type { Parameter } from '../parameters.js';
import type { Tape } from '../tape.js';
import type { Tensor } from '../tensor.js';
import { byOwnStatistics, type RunningStatistics } from './batch-statistics.js';
import { byRunningStatistics } from './fixed-statistics.js';
import { byGroupStatistics } from './group-statistics.js';
import type { NormKernel } from './norm-kernel.js';
import { cutRows, joinRows, type NormRows, normRows } from './norm-rows.js';
import { rectified, rectifiedGradient } from './rectify.js';

/** Mean and variance per channel over all voxels of all examples, or of each example; or per example and group of channels. */
export type StatisticsOver = 'batch' | 'instance' | { readonly groups: number };

export interface NormOptions {
  readonly over: StatisticsOver;
  /** 1e-5 by default, as PyTorch's; Keras has 1e-3. */
  readonly epsilon?: number;
  /** Batch norm only: moved in training by the batch's statistics, and used instead of them otherwise. */
  readonly running?: RunningStatistics;
  /** True: the running statistics are used, and stay, in training too. */
  readonly frozen?: boolean;
  /** Followed by a ReLU that multiplies negative values by this (0: the plain one), which costs less than one of its own. */
  readonly negativeSlope?: number;
}

/**
 * [examples, …, channels] → the same shape, in the tape's element type; statistics and the gradients of `scale` and `offset` are
 * 32-bit floats.
 */
export function normalise(tape: Tape, input: Activation, scale: Parameter, offset: Parameter, options: NormOptions): Activation {
  const { tensor } = input;
  const { negativeSlope } = options;
  const pass = new Normalisation(tape, tensor, chooseKernel(tape, scale, offset, options), options);
  const { output, kept } = pass.forward(tape.gathersStatistics);
  const remakes = negativeSlope !== undefined && tape.remakes(output);
  const keepsOutput = tape.recording && negativeSlope !== undefined && !remakes;
  const held = [tensor, ...kept.flat(), ...(keepsOutput ? [output.keep()] : [])];
  const remake = remakes ? (): Tensor => pass.forwardAgain() : undefined;
  const activation = tape.push(
    output,
    held,
    (gradient) => {
      const slope = negativeSlope === undefined ? gradient : pass.unrectify(gradient, remakes ? activation.reclaim() : output);
      const gradients = pass.backward(slope, kept);
      if (input.wantsGradient) input.addGradient(pass.join(gradients, input.dataType));
      else for (const part of gradients) part.free();
    },
    remake,
  );
  return activation;
}

/** One tensor on its way through a norm, part by part where examples have statistics of their own. */
class Normalisation {
  private readonly rows: NormRows;
  private readonly negativeSlope: number;

  constructor(
    private readonly tape: Tape,
    private readonly input: Tensor,
    private readonly kernel: NormKernel,
    { over, negativeSlope = 0 }: NormOptions,
  ) {
    this.rows = normRows(input.shape, over !== 'batch');
    this.negativeSlope = negativeSlope;
  }

  /** The output, and for each part what its gradient needs; only reads the input. */
  forward(gathers: boolean): { output: Tensor; kept: (readonly Tensor[])[] } {
    const passes = this.cut(this.input).map((part) => {
      const pass = this.kernel.forward(part, gathers);
      part.free();
      return pass;
    });
    const parts = passes.map(({ normalised }) => (this.negativeSlope === 0 ? normalised : this.leak(normalised)));
    return { output: this.join(parts, this.tape.dataType), kept: passes.map(({ kept }) => kept) };
  }

  /** The same operations on the same values: the same bits. */
  forwardAgain(): Tensor {
    const { output, kept } = this.forward(false);
    for (const tensor of kept.flat()) tensor.free();
    return output;
  }

  /** The gradient before the ReLU, from that behind it and the output; frees both. */
  unrectify(gradient: Tensor, output: Tensor): Tensor {
    const slope = rectifiedGradient(this.tape.runtime, gradient, output, this.negativeSlope);
    gradient.free();
    output.free();
    return slope;
  }

  /** Gradients of the parts; frees the slope, the input and what was kept. */
  backward(slope: Tensor, kept: readonly (readonly Tensor[])[]): Tensor[] {
    const [slopes, parts] = [this.cut(slope), this.cut(this.input)];
    slope.free();
    this.input.free();
    return parts.map((part, i) => this.kernel.backward(part, slopes[i] as Tensor, kept[i] as readonly Tensor[]));
  }

  /** The whole in the input's shape; frees the parts. */
  join(parts: readonly Tensor[], dataType: number): Tensor {
    return joinRows(this.tape.runtime, parts, this.input.shape, dataType);
  }

  private cut(tensor: Tensor): Tensor[] {
    const type = this.kernel.rowType(this.input.dataType, this.rows.channels);
    return cutRows(this.tape.runtime, tensor, this.rows, type);
  }

  private leak(part: Tensor): Tensor {
    const leaky = rectified(this.tape.runtime, part, this.negativeSlope);
    part.free();
    return leaky;
  }
}

/** As {@link normalise}, followed by a leaky ReLU; one tensor less is kept than with a layer of its own. */
export function normaliseLeaky(
  tape: Tape,
  input: Activation,
  scale: Parameter,
  offset: Parameter,
  slope: number,
  options: NormOptions,
): Activation {
  return normalise(tape, input, scale, offset, { ...options, negativeSlope: slope });
}

function chooseKernel(tape: Tape, scale: Parameter, offset: Parameter, options: NormOptions): NormKernel {
  const { over, running, frozen = false, epsilon = 1e-5, negativeSlope } = options;
  const settings = { runtime: tape.runtime, scale, offset, epsilon, rectify: negativeSlope === 0 };
  invariant(running === undefined || over === 'batch', 'only batch norm has running statistics');
  invariant(!frozen || running !== undefined, 'only running statistics are frozen');
  if (typeof over === 'object') return byGroupStatistics(settings, over.groups);
  if (running !== undefined && (frozen || !tape.training)) return byRunningStatistics(settings, running);
  return byOwnStatistics(settings, running);
}
