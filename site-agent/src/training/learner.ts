import { invariant } from '@consilium/shared/kernel';
import { manifestOf, type ModelSpec, statisticNames } from '@consilium/shared/models';
import type { WeightSet } from '@consilium/shared/weights';
import type { OptimizerPlan } from '@consilium/shared/wire';
import { collectGarbage } from '../engine/collect-garbage.js';
import type { GradientTerm } from '../engine/gradient-terms.js';
import { addFlatGradients, flatLength, takeFlatGradients } from '../engine/flat-gradients.js';
import { createLoss } from '../engine/losses/create-loss.js';
import type { LossChoice, LossName } from '../engine/losses/loss-plan.js';
import { createOptimizer } from '../engine/optimizers/create-optimizer.js';
import type { Optimizer, RateFactorOf } from '../engine/optimizers/optimizer.js';
import { ParameterSet } from '../engine/parameters.js';
import type { Runtime } from '../engine/runtime/runtime.js';
import type { MemoryUse, Precision } from '../engine/tape.js';
import { buildNetwork } from '../networks/build-network.js';
import { type AnswerActivation, BatchComputation } from './batch-computation.js';
import { type GradientRule, openGradientRule } from './local-rules/gradient-rule.js';
import type { PatchBatch, PatchSize } from './patch-batch.js';

export interface LearnerOptions {
  readonly runtime: Runtime;
  readonly spec: ModelSpec;
  /** Left out for a learner that only predicts or gives gradients. Its learning rate is the one to start with. */
  readonly optimizer?: OptimizerPlan | undefined;
  /** Mean squared error by default. */
  readonly loss?: LossChoice | LossName | undefined;
  /** Voxels computed at once where examples do not mix (instance norm): less needs less memory, more is a little faster. */
  readonly voxelsPerPass?: number | undefined;
  /** Patches computed at once, the gradients added up; with batch norm these patches share their statistics. */
  readonly patchesPerPass?: number | undefined;
  /** Element type of the activations, `f32` by default; weights, losses and optimizers are 32-bit floats always. */
  readonly precision?: Precision | undefined;
  /** `lean` by default, `plain` in bfloat16, where norms are a larger part of the time. */
  readonly memory?: MemoryUse | undefined;
}

/** One patch of the published size. */
const VOXELS_PER_PASS = 64 * 64 * 32;

/**
 * A network with its parameters and its optimizer inside TensorFlow. All calls block until they are done; weights enter and
 * leave in PyTorch's layout. The same weights, state, batches and thread count give the same bits on the same machine.
 */
export class Learner {
  private rate: number;
  private factorOf: RateFactorOf | undefined;
  private isFresh = true;
  private rule: GradientRule | undefined;
  private term: GradientTerm | undefined;

  private constructor(
    private readonly runtime: Runtime,
    private readonly parameters: ParameterSet,
    private readonly computation: BatchComputation,
    private readonly optimizer: Optimizer | undefined,
    rate: number,
  ) {
    this.rate = rate;
  }

  /** All weights are zero until {@link loadWeights}. */
  static create(options: LearnerOptions): Learner {
    const { runtime, spec, voxelsPerPass = VOXELS_PER_PASS, patchesPerPass, precision = 'f32' } = options;
    const network = buildNetwork(spec);
    const parameters = new ParameterSet(runtime, manifestOf(spec), network.idleParameters, statisticNames(spec));
    const memory = options.memory ?? (precision === 'f32' ? 'lean' : 'plain');
    const { loss = 'mse' } = options;
    const settings = { loss: createLoss(loss), voxelsPerPass, patchesPerPass, precision, memory };
    const computation = new BatchComputation(runtime, network, parameters, settings);
    const optimizer = options.optimizer && createOptimizer(runtime, parameters.all(), options.optimizer);
    return new Learner(runtime, parameters, computation, optimizer, options.optimizer?.learningRate ?? 0);
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

  /** The moving average of the weights, if the optimizer keeps one and has made a step; all tensors of the model. */
  readAverage(): WeightSet | undefined {
    const average = this.optimizer?.readAverage();
    if (average === undefined) return undefined;
    const followed = new Map(average.map((tensor) => [tensor.name, tensor]));
    return this.readWeights().map((tensor) => followed.get(tensor.name) ?? tensor);
  }

  /** What is added to every step's gradients from now on; undefined for nothing. The arrays are copied. */
  setGradientRule(rule: GradientRule | undefined): void {
    this.term?.dispose();
    this.term = rule && openGradientRule(this.runtime, this.parameters.all(), rule);
    this.rule = rule;
  }

  /** As given to {@link setGradientRule}. */
  get gradientRule(): GradientRule | undefined {
    return this.rule;
  }

  /** Counts from the next step on; `factorOf` multiplies the rate of single parameters, by name. */
  setLearningRate(rate: number, factorOf?: RateFactorOf): void {
    this.rate = rate;
    this.factorOf = factorOf;
  }

  /** One step of training: forward, loss, backward, update. Returns the loss before the update. */
  step(batch: PatchBatch): number {
    this.makeRoom();
    const loss = this.computation.backward(batch, batch.patches, this.stepsDone);
    this.update();
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
    this.makeRoom();
    const loss = this.computation.backward(share, ofPatches, this.stepsDone);
    takeFlatGradients(this.runtime, this.parameters.all(), gradients);
    return loss;
  }

  /** The update with the sum of all shares' gradients; leave the array unchanged meanwhile. */
  applyGradients(gradients: Float32Array): void {
    addFlatGradients(this.runtime, this.parameters.all(), gradients);
    this.update();
  }

  /** The loss and all gradients in PyTorch's layout and the manifest's order; changes nothing but running statistics. */
  lossAndGradients(batch: PatchBatch): { loss: number; gradients: WeightSet } {
    const loss = Math.fround(this.computation.backward(batch, batch.patches, this.stepsDone));
    return { loss, gradients: this.parameters.takeGradients() };
  }

  /**
   * The network's answer after the sigmoid, or the softmax over its outputs, laid out [patch, x, y, z, output]. Input as in
   * {@link PatchBatch}. With batch norm the patches given together share their statistics.
   */
  predict(input: Float32Array, patches: number, size: PatchSize, last: AnswerActivation = 'sigmoid'): Float32Array {
    this.makeRoom();
    return this.computation.predict(input, patches, size, last);
  }

  /** Tensors alive in this process, parameters and slots included. */
  liveTensors(): number {
    return this.runtime.liveTensors();
  }

  /** Frees parameters and slots; the runtime stays open. */
  dispose(): void {
    this.term?.dispose();
    this.optimizer?.dispose();
    this.parameters.dispose();
  }

  /** Before the first large tensors: what brought the weights here is garbage by now. */
  private makeRoom(): void {
    if (this.isFresh) collectGarbage();
    this.isFresh = false;
  }

  private update(): void {
    const optimizer = this.requireOptimizer();
    this.runtime.within('update', 'forward', () => {
      this.term?.addTo(this.parameters.all());
      optimizer.apply(this.parameters.all(), this.rate, this.factorOf);
    });
  }

  private get stepsDone(): number {
    return this.optimizer?.steps ?? 0;
  }

  private requireOptimizer(): Optimizer {
    invariant(this.optimizer !== undefined, 'a learner that trains was created with an optimizer');
    return this.optimizer;
  }
}
