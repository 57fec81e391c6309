import { required } from '@consilium/shared/kernel';
import { manifestOf, type ModelSpec, statisticNames } from '@consilium/shared/models';
import type { WeightSet } from '@consilium/shared/weights';
import type { OptimizerPlan, StepFigures } from '@consilium/shared/wire';
import { collectGarbage } from '../engine/collect-garbage.js';
import type { GradientTerm } from '../engine/gradient-terms.js';
import { addFlatGradients, flatLength, takeFlatGradients } from '../engine/flat-gradients.js';
import type { LossChoice, LossName } from '../engine/losses/loss-plan.js';
import type { RateFactorOf } from '../engine/optimizers/optimizer.js';
import { ParameterSet } from '../engine/parameters.js';
import type { Runtime } from '../engine/runtime/runtime.js';
import type { MemoryUse, Precision } from '../engine/tape.js';
import { buildNetwork } from '../networks/build-network.js';
import { createObjective, type ObjectiveChoice } from '../objectives/create-objective.js';
import type { Objective, Turn } from '../objectives/objective.js';
import { type AnswerActivation, BatchComputation } from './batch-computation.js';
import { type GradientRule, openGradientRule } from './local-rules/gradient-rule.js';
import type { PatchObservation } from './observe-patches.js';
import type { PatchBatch, PatchSize } from './patch-batch.js';
import { UpdatedParts } from './updated-parts.js';

export interface LearnerOptions {
  readonly runtime: Runtime;
  readonly spec: ModelSpec;
  /** Left out for a learner that only predicts or gives gradients. Its learning rate is the one to start with. */
  readonly optimizer?: OptimizerPlan | undefined;
  /** Of the network's answer; mean squared error by default. */
  readonly loss?: LossChoice | LossName | undefined;
  /** What a step teaches, in place of one loss. */
  readonly objective?: ObjectiveChoice | undefined;
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
  private figures: StepFigures = {};

  private constructor(
    private readonly runtime: Runtime,
    private readonly parameters: ParameterSet,
    private readonly computation: BatchComputation,
    private readonly objective: Objective,
    private readonly parts: UpdatedParts,
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
    const computation = new BatchComputation(runtime, network, parameters, { voxelsPerPass, patchesPerPass, precision, memory });
    const objective = createObjective(network, objectiveOf(options));
    const parts = new UpdatedParts(runtime, objective.parts, parameters, options.optimizer);
    return new Learner(runtime, parameters, computation, objective, parts, options.optimizer?.learningRate ?? 0);
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
    this.parts.loadState(state);
  }

  /** The exact state, slots and step counts, with names of the optimizers' own. */
  readOptimizerState(): WeightSet {
    return this.parts.readState();
  }

  /** The moving average of the weights, if the optimizer keeps one and has made a step; all tensors of the model. */
  readAverage(): WeightSet | undefined {
    const average = this.parts.readAverage();
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

  /** One step of training: forward, loss, backward, update, in as many turns as the objective has. The last turn's loss. */
  step(batch: PatchBatch): number {
    let loss = 0;
    for (const turn of this.turns()) {
      loss = this.backward(turn, batch, batch.patches);
      this.update(turn);
    }
    return Math.fround(loss);
  }

  /** What the last step, or the last share of one, showed beside its loss; empty where the objective shows nothing. */
  get stepFigures(): StepFigures {
    return this.figures;
  }

  /** Turns of the next step. */
  get turnsOfStep(): number {
    return this.turns().length;
  }

  /** Number of values that {@link shareOfTurn} gives. */
  gradientLength(turn: number): number {
    return flatLength(this.parts.of(this.turnAt(turn)));
  }

  /**
   * This learner's part of a step's turn over `ofPatches` patches that several learners of one network share: loss and
   * gradients, both weighted with the share. `gradients` gets all values one after the other as the engine lays them out.
   */
  shareOfTurn(turn: number, share: PatchBatch, ofPatches: number, gradients: Float32Array): number {
    const taken = this.turnAt(turn);
    const loss = this.backward(taken, share, ofPatches);
    takeFlatGradients(this.runtime, this.parts.of(taken), gradients);
    return loss;
  }

  /** The turn's update with the sum of all shares' gradients; leave the array unchanged meanwhile. */
  applyGradients(turn: number, gradients: Float32Array): void {
    const taken = this.turnAt(turn);
    addFlatGradients(this.runtime, this.parts.of(taken), gradients);
    this.update(taken);
  }

  /**
   * The loss and all gradients of the next step's first turn, or another one, in PyTorch's layout and the manifest's order: zeros
   * where the turn updates nothing. Changes nothing but running statistics.
   */
  lossAndGradients(batch: PatchBatch, turn = 0): { loss: number; gradients: WeightSet } {
    const taken = this.turnAt(turn);
    const loss = Math.fround(this.backward(taken, batch, batch.patches));
    const names = new Set(this.parts.of(taken).map(({ name }) => name));
    return { loss, gradients: this.parameters.takeGradients((name) => names.has(name)) };
  }

  /**
   * The network's answer after the sigmoid, or the softmax over its outputs, laid out [patch, x, y, z, output]. Input as in
   * {@link PatchBatch}. With batch norm the patches given together share their statistics.
   */
  predict(input: Float32Array, patches: number, size: PatchSize, last: AnswerActivation = 'sigmoid'): Float32Array {
    this.makeRoom();
    return this.computation.predict(input, patches, size, last);
  }

  /** All that a network with heads says of the batch's patches, as in evaluation. */
  observe(batch: PatchBatch): PatchObservation {
    this.makeRoom();
    return this.computation.observe(batch);
  }

  /** Tensors alive in this process, parameters and slots included. */
  liveTensors(): number {
    return this.runtime.liveTensors();
  }

  /** Frees parameters and slots; the runtime stays open. */
  dispose(): void {
    this.term?.dispose();
    this.parts.dispose();
    this.parameters.dispose();
  }

  /** Before the first large tensors: what brought the weights here is garbage by now. */
  private makeRoom(): void {
    if (this.isFresh) collectGarbage();
    this.isFresh = false;
  }

  /** Leaves the gradients of what the turn updates in the parameters, and no others. */
  private backward(turn: Turn, batch: PatchBatch, ofPatches: number): number {
    this.makeRoom();
    const { loss, figures } = this.computation.backward(turn, batch, ofPatches, this.parts.steps);
    this.parts.dropOthers(turn);
    this.figures = { ...this.figures, ...figures };
    return loss;
  }

  private update(turn: Turn): void {
    this.runtime.within('update', 'forward', () =>
      this.parts.apply(turn, { rate: this.rate, factorOf: this.factorOf }, this.term),
    );
  }

  private turns(): readonly Turn[] {
    return this.objective.turnsOf(this.parts.steps);
  }

  private turnAt(index: number): Turn {
    return required(this.turns()[index], 'a turn of the step');
  }
}

function objectiveOf({ objective, loss = 'mse' }: LearnerOptions): ObjectiveChoice {
  return objective ?? { kind: 'answer', loss };
}
