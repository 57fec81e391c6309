import { FederationError, invariant, required } from '@consilium/shared/kernel';
import type { Activation } from '../engine/activation.js';
import { FLOAT } from '../engine/attributes.js';
import { cast } from '../engine/ops/cast.js';
import { joinAndFree, splitTensor } from '../engine/ops/concatenation.js';
import type { ParameterSet } from '../engine/parameters.js';
import type { Runtime } from '../engine/runtime/runtime.js';
import { DATA_TYPE } from '../engine/runtime/tensorflow-binding.js';
import { type MemoryUse, type Precision, Tape } from '../engine/tape.js';
import type { Tensor } from '../engine/tensor.js';
import type { Network } from '../networks/network.js';
import { isUniversal } from '../networks/universal.js';
import type { Judgement, StepFigures, Turn, WantedOf } from '../objectives/objective.js';
import { type BatchPass, type PassLimits, passesOf, voxelsOf } from './batch-passes.js';
import { observePatches, type PatchObservation } from './observe-patches.js';
import type { PatchBatch, PatchSize } from './patch-batch.js';

export interface ComputationSettings {
  readonly precision: Precision;
  readonly memory: MemoryUse;
  readonly voxelsPerPass: number;
  readonly patchesPerPass?: number | undefined;
}

/** What a turn's way through a batch gives beside the gradients. */
export interface BatchResult {
  /** Weighted as the batch's share. */
  readonly loss: number;
  /** Means over the batch. */
  readonly figures: StepFigures;
}

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
   * Adds the gradients of a turn over the batch to the parameters, weighted as the batch's share of `ofPatches`; its loss is
   * weighted alike. `step` names the random draws of dropout. After an error the parameters hold no gradients.
   */
  backward(turn: Turn, batch: PatchBatch, ofPatches: number, step: number): BatchResult {
    this.requireFittingInput(batch.input, batch.patches, batch.sizeVoxels);
    try {
      const passes = passesOf(batch.patches, batch.sizeVoxels, this.limits);
      const separate = turn.separable || passes.length === 1;
      const judgements = separate
        ? this.backwardEach(turn, batch, passes, ofPatches, step)
        : [this.backwardJoined(turn, batch, passes, ofPatches, step)];
      return resultOf(judgements, batch.patches);
    } catch (error) {
      this.parameters.dropGradients(); // half a step's gradients must not leak into the next one
      throw error;
    }
  }

  /**
   * The network's answers after the sigmoid, one patch after the other, as in evaluation: no dropout, running statistics, and
   * in 32 bits whatever the training's precision.
   */
  predict(input: Float32Array, patches: number, size: PatchSize): Float32Array {
    this.requireFittingInput(input, patches, size);
    const answers = passesOf(patches, size, this.limits).map((pass) => {
      const tape = new Tape(this.runtime, false);
      const answer = this.network.forward(tape, this.parameters, tape.input(this.inputTensor(input, pass, size)));
      const logits = cast(tape, answer, DATA_TYPE.float32);
      const sigmoid = this.runtime.runOne('Sigmoid', FLOAT, [logits.tensor]);
      logits.tensor.free();
      const values = this.runtime.read(sigmoid);
      sigmoid.free();
      return values;
    });
    return answers.length === 1 ? (answers[0] as Float32Array) : joinValues(answers);
  }

  /** All that a network with heads says of a batch's patches, pass by pass, as in evaluation. */
  observe({ input, patches, sizeVoxels }: PatchBatch): PatchObservation {
    this.requireFittingInput(input, patches, sizeVoxels);
    const { network, runtime, parameters } = this;
    invariant(isUniversal(network), 'a network with heads is observed');
    const parts = passesOf(patches, sizeVoxels, this.limits).map((pass) =>
      observePatches(runtime, network, parameters, this.inputTensor(input, pass, sizeVoxels)),
    );
    const joined = (key: keyof PatchObservation): Float32Array | undefined =>
      parts[0]?.[key] && joinValues(parts.map((part) => required(part[key], 'a part of what was observed')));
    return {
      restored: required(joined('restored'), 'the restored patches'),
      scale: joined('scale'),
      modality: joined('modality'),
      features: required(joined('features'), 'the features'),
    };
  }

  /** Each pass forward and backward before the next begins; the loss is their mean, weighted by examples. */
  private backwardEach(
    turn: Turn,
    batch: PatchBatch,
    passes: readonly BatchPass[],
    ofPatches: number,
    step: number,
  ): Judgement[] {
    return passes.map((pass, i) => {
      const { tape, answers } = this.forwardPass(turn, batch, pass, step, i);
      const judgement = this.judge(turn, tensorsOf(answers), wantedOf(batch, pass), pass.count / ofPatches);
      for (const { tensor } of answers) tensor.free();
      tape.backwardFrom(answers, judgement.gradients);
      return judgement;
    });
  }

  /** All passes forward, one loss over them, all passes backward: for losses that look at the whole batch. */
  private backwardJoined(
    turn: Turn,
    batch: PatchBatch,
    passes: readonly BatchPass[],
    ofPatches: number,
    step: number,
  ): Judgement {
    const done = passes.map((pass, i) => this.forwardPass(turn, batch, pass, step, i));
    const together = joinAnswers(
      this.runtime,
      done.map(({ answers }) => tensorsOf(answers)),
    );
    const judgement = this.judge(turn, together, wantedOf(batch), batch.patches / ofPatches);
    for (const tensor of together) tensor.free();
    const counts = passes.map(({ count }) => count);
    const slopes = judgement.gradients.map((gradient) => splitTensor(this.runtime, gradient, counts, 0));
    for (const gradient of judgement.gradients) gradient.free();
    for (const [i, { tape, answers }] of done.entries()) {
      tape.backwardFrom(
        answers,
        slopes.map((parts) => required(parts[i], 'the gradient of a pass')),
      );
    }
    return judgement;
  }

  private judge(turn: Turn, answers: readonly Tensor[], wanted: WantedOf, share: number): Judgement {
    const { runtime } = this;
    return runtime.within('loss', 'forward', () => turn.judge(runtime, answers, wanted, share));
  }

  private forwardPass(
    turn: Turn,
    { input, sizeVoxels }: PatchBatch,
    pass: BatchPass,
    step: number,
    index: number,
  ): { tape: Tape; answers: readonly Activation[] } {
    const tape = this.recordingTape(step, index);
    const answers = turn.forward(tape, this.parameters, tape.input(this.inputTensor(input, pass, sizeVoxels)));
    return { tape, answers: answers.map((answer) => cast(tape, answer, DATA_TYPE.float32)) };
  }

  private recordingTape(step: number, pass: number): Tape {
    return new Tape(this.runtime, true, { ...this.settings, seed: (step * SEEDS_PER_STEP + pass) | 0 });
  }

  private inputTensor(input: Float32Array, { first, count }: BatchPass, size: PatchSize): Tensor {
    const { inputChannels } = this.network;
    const stride = voxelsOf(size) * inputChannels;
    return this.runtime.tensor(input.subarray(first * stride, (first + count) * stride), [count, ...size, inputChannels]);
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

function tensorsOf(answers: readonly Activation[]): Tensor[] {
  return answers.map(({ tensor }) => tensor);
}

/** Each answer over all passes; frees the passes' own. */
function joinAnswers(runtime: Runtime, passes: readonly (readonly Tensor[])[]): Tensor[] {
  const [first = []] = passes;
  return first.map((_, answer) =>
    joinAndFree(
      runtime,
      passes.map((tensors) => required(tensors[answer], 'an answer of a pass')),
      0,
    ),
  );
}

/** What a pass should give; the whole batch when none is named. */
function wantedOf({ patches, target, labels }: PatchBatch, { first, count }: BatchPass = { first: 0, count: patches }): WantedOf {
  const stride = target.length / patches;
  const part = (classes: readonly number[]): readonly number[] => classes.slice(first, first + count);
  return {
    examples: count,
    target: target.subarray(first * stride, (first + count) * stride),
    labels: labels && { modality: part(labels.modality), scale: part(labels.scale) },
  };
}

function resultOf(judgements: readonly Judgement[], patches: number): BatchResult {
  const figures: Partial<Record<keyof StepFigures, number>> = {};
  for (const { sums = {} } of judgements) {
    for (const [name, sum] of Object.entries(sums) as [keyof StepFigures, number][]) {
      figures[name] = (figures[name] ?? 0) + sum / patches;
    }
  }
  return { loss: judgements.reduce((sum, { loss }) => sum + loss, 0), figures };
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
