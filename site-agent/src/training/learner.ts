import { FederationError, invariant } from '@consilium/shared/kernel';
import { manifestOf, type ModelSpec } from '@consilium/shared/models';
import type { WeightSet } from '@consilium/shared/weights';
import type { OptimizerPlan } from '@consilium/shared/wire';
import type { Activation } from '../engine/activation.js';
import { FLOAT } from '../engine/attributes.js';
import { addFlatGradients, flatLength, takeFlatGradients } from '../engine/flat-gradients.js';
import type { Loss } from '../engine/losses/loss.js';
import { type LossName, LOSSES } from '../engine/losses/loss-named.js';
import { cast } from '../engine/ops/cast.js';
import { joinTensors, splitTensor } from '../engine/ops/concatenation.js';
import { createOptimizer } from '../engine/optimizers/create-optimizer.js';
import type { Optimizer } from '../engine/optimizers/optimizer.js';
import { ParameterSet } from '../engine/parameters.js';
import type { Runtime } from '../engine/runtime/runtime.js';
import { DATA_TYPE } from '../engine/runtime/tensorflow-binding.js';
import { type MemoryUse, type Precision, Tape } from '../engine/tape.js';
import type { Tensor } from '../engine/tensor.js';
import { buildNetwork } from '../networks/build-network.js';
import type { Network } from '../networks/network.js';
import type { PatchBatch, PatchSize } from './patch-batch.js';

export interface LearnerOptions {
  readonly runtime: Runtime;
  readonly spec: ModelSpec;
  /** Left out for a learner that only predicts or gives gradients. Its learning rate is the one to start with. */
  readonly optimizer?: OptimizerPlan | undefined;
  /** Mean squared error by default. */
  readonly loss?: LossName | undefined;
  /** Voxels computed at once where examples do not mix (instance norm): less needs less memory, more is a little faster. */
  readonly voxelsPerPass?: number | undefined;
  /** Element type of the activations, `f32` by default; weights, losses and optimizers are 32-bit floats always. */
  readonly precision?: Precision | undefined;
  /** `lean` by default, `plain` in bfloat16, where norms are a larger part of the time. */
  readonly memory?: MemoryUse | undefined;
}

/** One patch of the published size. */
const VOXELS_PER_PASS = 64 * 64 * 32;

/** Neighbouring examples of a batch. */
interface Group {
  readonly first: number;
  readonly count: number;
}

/**
 * A network with its parameters and its optimizer inside TensorFlow. All calls block until they are done; weights enter and
 * leave in PyTorch's layout. The same weights, state, batches and thread count give the same bits on the same machine.
 */
export class Learner {
  private readonly loss: Loss;
  private readonly voxelsPerPass: number;
  private readonly passOptions: { readonly precision: Precision; readonly memory: MemoryUse };
  private rate: number;

  private constructor(
    private readonly runtime: Runtime,
    private readonly network: Network,
    private readonly parameters: ParameterSet,
    private readonly optimizer: Optimizer | undefined,
    options: LearnerOptions,
  ) {
    this.loss = LOSSES[options.loss ?? 'mse'];
    this.voxelsPerPass = options.voxelsPerPass ?? VOXELS_PER_PASS;
    const precision = options.precision ?? 'f32';
    this.passOptions = { precision, memory: options.memory ?? (precision === 'f32' ? 'lean' : 'plain') };
    this.rate = options.optimizer?.learningRate ?? 0;
  }

  /** All weights are zero until {@link loadWeights}. */
  static create(options: LearnerOptions): Learner {
    const network = buildNetwork(options.spec);
    const parameters = new ParameterSet(options.runtime, manifestOf(options.spec), network.idleParameters);
    const optimizer = options.optimizer && createOptimizer(options.runtime, parameters.all(), options.optimizer);
    return new Learner(options.runtime, network, parameters, optimizer, options);
  }

  /** Copies weights in PyTorch's layout, in any order; MANIFEST_MISMATCH when they are another model's. */
  loadWeights(weights: WeightSet): void {
    this.parameters.load(weights);
  }

  /** A copy in PyTorch's layout and the manifest's order. */
  readWeights(): WeightSet {
    return this.parameters.read();
  }

  /** Takes back what {@link readOptimizerState} gave; MANIFEST_MISMATCH when it is another optimizer's. */
  loadOptimizerState(state: WeightSet): void {
    this.requireOptimizer().loadState(state);
  }

  /** The exact state, slots and step count, with names of the optimizer's own. */
  readOptimizerState(): WeightSet {
    return this.requireOptimizer().readState();
  }

  /** Counts from the next step on. */
  setLearningRate(rate: number): void {
    this.rate = rate;
  }

  /** One step of training: forward, loss, backward, update. Returns the loss before the update. */
  step(batch: PatchBatch): number {
    const optimizer = this.requireOptimizer();
    const loss = this.accumulateGradients(batch, batch.patches);
    optimizer.apply(this.parameters.all(), this.rate);
    return Math.fround(loss);
  }

  /** Number of values that {@link shareOfStep} gives. */
  get gradientLength(): number {
    return flatLength(this.parameters.all());
  }

  /**
   * This learner's part of a step over `ofPatches` patches that several learners of one network share: loss and gradients,
   * both weighted with the share. `gradients` gets all values one after the other as the engine lays them out.
   */
  shareOfStep(share: PatchBatch, ofPatches: number, gradients: Float32Array): number {
    const loss = this.accumulateGradients(share, ofPatches);
    takeFlatGradients(this.runtime, this.parameters.all(), gradients);
    return loss;
  }

  /** The update with the sum of all shares' gradients; leave the array unchanged meanwhile. */
  applyGradients(gradients: Float32Array): void {
    const optimizer = this.requireOptimizer();
    addFlatGradients(this.runtime, this.parameters.all(), gradients);
    optimizer.apply(this.parameters.all(), this.rate);
  }

  /** The loss and all gradients in PyTorch's layout and the manifest's order; changes nothing. */
  lossAndGradients(batch: PatchBatch): { loss: number; gradients: WeightSet } {
    const loss = Math.fround(this.accumulateGradients(batch, batch.patches));
    return { loss, gradients: this.parameters.takeGradients() };
  }

  /**
   * The network's answer after the sigmoid, laid out [patch, x, y, z, output]. Input as in {@link PatchBatch}. With batch
   * norm the patches given together share their statistics.
   */
  predict(input: Float32Array, patches: number, size: PatchSize): Float32Array {
    this.requireFittingInput(input, patches, size);
    const { outputs } = this.network;
    const answers = new Float32Array(patches * outputs * voxelsOf(size));
    for (const { first, count } of this.groupsOf(patches, size)) {
      const tape = new Tape(this.runtime, false, this.passOptions);
      const logits = this.forward(tape, input, first, count, size);
      const sigmoid = this.runtime.runOne('Sigmoid', FLOAT, [logits.tensor]);
      answers.set(this.runtime.read(sigmoid), first * outputs * voxelsOf(size));
      logits.tensor.free();
      sigmoid.free();
    }
    return answers;
  }

  /** Tensors alive in this process, parameters and slots included. */
  liveTensors(): number {
    return this.runtime.liveTensors();
  }

  /** Frees parameters and slots; the runtime stays open. */
  dispose(): void {
    this.optimizer?.dispose();
    this.parameters.dispose();
  }

  private accumulateGradients(batch: PatchBatch, ofPatches: number): number {
    this.requireFittingInput(batch.input, batch.patches, batch.sizeVoxels);
    this.requireFittingTarget(batch);
    try {
      const groups = this.groupsOf(batch.patches, batch.sizeVoxels);
      const separate = this.loss.separable || groups.length === 1;
      return separate ? this.backwardGroups(batch, groups, ofPatches) : this.backwardJoined(batch, groups, ofPatches);
    } catch (error) {
      this.parameters.dropGradients(); // half a step's gradients must not leak into the next one
      throw error;
    }
  }

  /**
   * The passes that a batch is computed in. Where examples do not mix, a pass takes at most as many voxels as one patch of
   * the published size: peak memory then does not grow with the batch, and small patches still fill the machine.
   */
  private groupsOf(patches: number, size: PatchSize): Group[] {
    const fitting = Math.max(1, Math.floor(this.voxelsPerPass / voxelsOf(size)));
    const most = this.network.examplesIndependent ? fitting : patches;
    return Array.from({ length: Math.ceil(patches / most) }, (_, i) => ({
      first: i * most,
      count: Math.min(most, patches - i * most),
    }));
  }

  /** Each group forward and backward before the next begins; the loss is their mean, weighted by examples. */
  private backwardGroups(batch: PatchBatch, groups: readonly Group[], ofPatches: number): number {
    let loss = 0;
    for (const { first, count } of groups) {
      const tape = new Tape(this.runtime, true, this.passOptions);
      const logits = this.forward(tape, batch.input, first, count, batch.sizeVoxels);
      const target = this.slice(batch.target, first, count, batch.sizeVoxels, this.network.outputs);
      const value = this.loss.evaluate(this.runtime, logits.tensor, target, count / ofPatches);
      target.free();
      logits.tensor.free();
      tape.backward(logits, value.gradient);
      loss += value.loss;
    }
    return loss;
  }

  /** All groups forward, one loss over them, all groups backward: for losses that look at the whole batch. */
  private backwardJoined(batch: PatchBatch, groups: readonly Group[], ofPatches: number): number {
    const { patches, sizeVoxels } = batch;
    const passes = groups.map(({ first, count }) => {
      const tape = new Tape(this.runtime, true, this.passOptions);
      return { tape, logits: this.forward(tape, batch.input, first, count, sizeVoxels) };
    });
    const logits = passes.map((pass) => pass.logits.tensor);
    const together = joinTensors(this.runtime, logits, 0);
    for (const tensor of logits) tensor.free();
    const target = this.slice(batch.target, 0, patches, sizeVoxels, this.network.outputs);
    const value = this.loss.evaluate(this.runtime, together, target, patches / ofPatches);
    together.free();
    target.free();
    const counts = groups.map(({ count }) => count);
    const gradients = splitTensor(this.runtime, value.gradient, counts, 0);
    value.gradient.free();
    for (const [group, pass] of passes.entries()) {
      const gradient = gradients[group];
      invariant(gradient !== undefined, 'each group has a gradient');
      pass.tape.backward(pass.logits, gradient);
    }
    return value.loss;
  }

  private forward(tape: Tape, input: Float32Array, first: number, count: number, size: PatchSize): Activation {
    const tensor = this.slice(input, first, count, size, this.network.inputChannels);
    return cast(tape, this.network.forward(tape, this.parameters, tape.input(tensor)), DATA_TYPE.float32);
  }

  private slice(values: Float32Array, first: number, count: number, size: PatchSize, channels: number): Tensor {
    const stride = voxelsOf(size) * channels;
    return this.runtime.tensor(values.subarray(first * stride, (first + count) * stride), [count, ...size, channels]);
  }

  private requireOptimizer(): Optimizer {
    invariant(this.optimizer !== undefined, 'a learner that trains was created with an optimizer');
    return this.optimizer;
  }

  private requireFittingInput(input: Float32Array, patches: number, size: PatchSize): void {
    const { sideMultiple, inputChannels } = this.network;
    if (patches < 1 || size.some((side) => side < sideMultiple || side % sideMultiple !== 0)) {
      throw new FederationError(
        'ARGUMENT_INVALID',
        `a batch of ${patches} patches of ${size.join(' × ')} voxels cannot be computed`,
        {
          remedy: `Give at least one patch whose sides are multiples of ${sideMultiple}.`,
        },
      );
    }
    invariant(input.length === patches * voxelsOf(size) * inputChannels, 'a batch has as many input values as its sizes say');
  }

  private requireFittingTarget({ target, patches, sizeVoxels }: PatchBatch): void {
    invariant(target.length === patches * voxelsOf(sizeVoxels) * this.network.outputs, 'a batch has a target value per output');
  }
}

function voxelsOf(size: PatchSize): number {
  return size[0] * size[1] * size[2];
}
