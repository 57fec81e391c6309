import { FederationError, invariant } from '@consilium/shared/kernel';
import type { Activation } from '../engine/activation.js';
import { FLOAT } from '../engine/attributes.js';
import type { Loss, LossValue } from '../engine/losses/loss.js';
import { cast } from '../engine/ops/cast.js';
import { joinAndFree, splitTensor } from '../engine/ops/concatenation.js';
import type { ParameterSet } from '../engine/parameters.js';
import type { Runtime } from '../engine/runtime/runtime.js';
import { DATA_TYPE } from '../engine/runtime/tensorflow-binding.js';
import { type MemoryUse, type Precision, Tape } from '../engine/tape.js';
import type { Tensor } from '../engine/tensor.js';
import type { Network } from '../networks/network.js';
import { type BatchPass, type PassLimits, passesOf, voxelsOf } from './batch-passes.js';
import type { PatchBatch, PatchSize } from './patch-batch.js';

export interface ComputationSettings {
  readonly loss: Loss;
  readonly precision: Precision;
  readonly memory: MemoryUse;
  readonly voxelsPerPass: number;
  readonly patchesPerPass?: number | undefined;
}

/** What turns logits into answers: each output on its own, or all outputs of a voxel together. */
export type AnswerActivation = 'sigmoid' | 'softmax';

/** A step's part of the random numbers: passes of one step draw differently. */
const SEEDS_PER_STEP = 1024;

/** Forward and backward over batches, in passes that fit; gradients are left in the parameters. */
export class BatchComputation {
  private readonly limits: PassLimits;

  constructor(
    private readonly runtime: Runtime,
    private readonly network: Network,
    private readonly parameters: ParameterSet,
    private readonly settings: ComputationSettings,
  ) {
    const { voxelsPerPass, patchesPerPass } = settings;
    this.limits = { examplesIndependent: network.examplesIndependent, voxelsPerPass, patchesPerPass };
  }

  /**
   * Adds the batch's gradients to the parameters, weighted as the batch's share of `ofPatches`, and returns its loss, weighted
   * alike. `step` names the random draws of dropout. After an error the parameters hold no gradients.
   */
  backward(batch: PatchBatch, ofPatches: number, step: number): number {
    this.requireFittingInput(batch.input, batch.patches, batch.sizeVoxels);
    try {
      const passes = passesOf(batch.patches, batch.sizeVoxels, this.limits);
      const separate = this.settings.loss.separable || passes.length === 1;
      return separate ? this.backwardEach(batch, passes, ofPatches, step) : this.backwardJoined(batch, passes, ofPatches, step);
    } catch (error) {
      this.parameters.dropGradients(); // half a step's gradients must not leak into the next one
      throw error;
    }
  }

  /**
   * The network's answers after the last activation, one patch after the other, as in evaluation: no dropout, running
   * statistics, and in 32 bits whatever the training's precision.
   */
  predict(input: Float32Array, patches: number, size: PatchSize, last: AnswerActivation): Float32Array {
    this.requireFittingInput(input, patches, size);
    const answers = passesOf(patches, size, this.limits).map((pass) => {
      const tape = new Tape(this.runtime, false);
      const logits = this.forward(tape, input, pass, size);
      const answer = this.runtime.runOne(last === 'sigmoid' ? 'Sigmoid' : 'Softmax', FLOAT, [logits.tensor]);
      logits.tensor.free();
      const values = this.runtime.read(answer);
      answer.free();
      return values;
    });
    return answers.length === 1 ? (answers[0] as Float32Array) : joinValues(answers);
  }

  /** Each pass forward and backward before the next begins; the loss is their mean, weighted by examples. */
  private backwardEach(batch: PatchBatch, passes: readonly BatchPass[], ofPatches: number, step: number): number {
    let loss = 0;
    for (const [i, pass] of passes.entries()) {
      const tape = this.recordingTape(step, i);
      const logits = this.forward(tape, batch.input, pass, batch.sizeVoxels);
      const target = this.target(batch, pass, logits.shape);
      const value = this.evaluate(logits.tensor, target, pass.count / ofPatches);
      target.free();
      logits.tensor.free();
      tape.backward(logits, value.gradient);
      loss += value.loss;
    }
    return loss;
  }

  /** All passes forward, one loss over them, all passes backward: for losses that look at the whole batch. */
  private backwardJoined(batch: PatchBatch, passes: readonly BatchPass[], ofPatches: number, step: number): number {
    const done = passes.map((pass, i) => {
      const tape = this.recordingTape(step, i);
      return { tape, logits: this.forward(tape, batch.input, pass, batch.sizeVoxels) };
    });
    const together = joinAndFree(
      this.runtime,
      done.map(({ logits }) => logits.tensor),
      0,
    );
    const target = this.target(batch, { first: 0, count: batch.patches }, together.shape);
    const value = this.evaluate(together, target, batch.patches / ofPatches);
    together.free();
    target.free();
    const counts = passes.map(({ count }) => count);
    const gradients = splitTensor(this.runtime, value.gradient, counts, 0);
    value.gradient.free();
    for (const [i, { tape, logits }] of done.entries()) {
      const gradient = gradients[i];
      invariant(gradient !== undefined, 'each pass has a gradient');
      tape.backward(logits, gradient);
    }
    return value.loss;
  }

  private evaluate(logits: Tensor, target: Tensor, share: number): LossValue {
    const { runtime } = this;
    return runtime.within('loss', 'forward', () => this.settings.loss.evaluate(runtime, logits, target, share));
  }

  private recordingTape(step: number, pass: number): Tape {
    return new Tape(this.runtime, true, { ...this.settings, seed: (step * SEEDS_PER_STEP + pass) | 0 });
  }

  private forward(tape: Tape, input: Float32Array, { first, count }: BatchPass, size: PatchSize): Activation {
    const { inputChannels } = this.network;
    const stride = voxelsOf(size) * inputChannels;
    const tensor = this.runtime.tensor(input.subarray(first * stride, (first + count) * stride), [count, ...size, inputChannels]);
    return cast(tape, this.network.forward(tape, this.parameters, tape.input(tensor)), DATA_TYPE.float32);
  }

  /** The pass's targets, shaped like its logits (their channels as the loss reads them). */
  private target({ target, patches }: PatchBatch, { first, count }: BatchPass, logits: readonly number[]): Tensor {
    const outputs = logits[logits.length - 1] as number;
    const shape = [count, ...logits.slice(1, -1), this.settings.loss.targetChannels ?? outputs];
    const stride = shape.slice(1).reduce((product, side) => product * side, 1);
    invariant(target.length === patches * stride, 'a batch has a target value for each of the network’s answers');
    return this.runtime.tensor(target.subarray(first * stride, (first + count) * stride), shape);
  }

  private requireFittingInput(input: Float32Array, patches: number, size: PatchSize): void {
    const { sideMultiples, inputChannels } = this.network;
    if (patches < 1 || size.some((side, axis) => side < 1 || side % (sideMultiples[axis] as number) !== 0)) {
      const message = `a batch of ${patches} patches of ${size.join(' × ')} voxels cannot be computed`;
      throw new FederationError('ARGUMENT_INVALID', message, {
        remedy: `Give at least one patch whose sides are multiples of ${sideMultiples.join(', ')}.`,
      });
    }
    invariant(input.length === patches * voxelsOf(size) * inputChannels, 'a batch has as many input values as its sizes say');
  }
}

function joinValues(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
