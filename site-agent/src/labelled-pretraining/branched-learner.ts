import { required } from '@consilium/shared/kernel';
import { branchPrefix, manifestOf, type MedicalnetSpec, statisticNames } from '@consilium/shared/models';
import type { WeightSet } from '@consilium/shared/weights';
import type { OptimizerPlan } from '@consilium/shared/wire';
import { FLOAT } from '../engine/attributes.js';
import { createLoss } from '../engine/losses/create-loss.js';
import { ParameterSet } from '../engine/parameters.js';
import type { Runtime } from '../engine/runtime/runtime.js';
import { Tape } from '../engine/tape.js';
import type { Network } from '../networks/network.js';
import { buildBranch } from '../networks/resnet3d.js';
import { answerObjective } from '../objectives/answer-objective.js';
import type { ParameterPart, Turn } from '../objectives/objective.js';
import { BatchComputation } from '../training/batch-computation.js';
import type { MemoryChoice } from '../training/choose-memory.js';
import type { PatchBatch, PatchSize } from '../training/patch-batch.js';
import { UpdatedParts } from '../training/updated-parts.js';

/** One patch of the published size; the learner of rounds computes as much at once. */
const VOXELS_PER_PASS = 64 * 64 * 32;

/** Softmax cross-entropy and soft Dice over the classes, one to one (specification B4: a default, not published). */
export const BRANCH_LOSS = { kind: 'dice-ce' } as const;

export interface BranchedLearnerOptions extends MemoryChoice {
  readonly runtime: Runtime;
  /** With branches. */
  readonly spec: MedicalnetSpec;
  readonly optimizer: OptimizerPlan;
}

const ENCODER = 'encoder';

interface Branch {
  readonly network: Network;
  readonly computation: BatchComputation;
  /** Updates the encoder and this branch. */
  readonly turn: Turn;
}

/**
 * An encoder under several branches (Chen et al., arXiv 1904.00625). A step goes through the encoder and one branch; the other
 * branches are neither computed nor updated, and their optimizers stand still: neither momentum nor weight decay moves them.
 */
export class BranchedLearner {
  private rate: number;

  private constructor(
    private readonly runtime: Runtime,
    private readonly parameters: ParameterSet,
    private readonly parts: UpdatedParts,
    private readonly branches: ReadonlyMap<string, Branch>,
    rate: number,
  ) {
    this.rate = rate;
  }

  /** All weights are zero until {@link loadWeights}. */
  static create({ runtime, spec, optimizer, memory = 'lean', patchesPerPass }: BranchedLearnerOptions): BranchedLearner {
    const parameters = new ParameterSet(runtime, manifestOf(spec), new Set(), statisticNames(spec));
    const listed = spec.branches ?? [];
    const partOf = (branch: (typeof listed)[number]): ParameterPart => {
      return { name: `branches.${branch.name}`, holds: (name) => name.startsWith(branchPrefix(branch)) };
    };
    const encoder = { name: ENCODER, holds: (name: string) => !listed.some((branch) => partOf(branch).holds(name)) };
    const parts = new UpdatedParts(runtime, [encoder, ...listed.map(partOf)], parameters, optimizer);
    const loss = createLoss(BRANCH_LOSS);
    const settings = { voxelsPerPass: VOXELS_PER_PASS, patchesPerPass, memory };
    const branches = listed.map((branch): [string, Branch] => {
      const network = buildBranch(spec, branch);
      const computation = new BatchComputation(runtime, network, parameters, { ...settings, precision: 'f32' });
      const [turn] = answerObjective(network, loss).turnsOf(0);
      const updates = [ENCODER, partOf(branch).name];
      return [branch.name, { network, computation, turn: { ...required(turn, 'the turn of a branch'), updates } }];
    });
    return new BranchedLearner(runtime, parameters, parts, new Map(branches), optimizer.learningRate);
  }

  /** Counts from the next step on. */
  setLearningRate(rate: number): void {
    this.rate = rate;
  }

  /** One step on a batch of the branch's collection, whose target holds class numbers; the loss before the update. */
  step(name: string, batch: PatchBatch): number {
    const { computation, turn } = this.branch(name);
    const { loss } = computation.backward(turn, batch, batch.patches, this.parts.steps);
    this.parts.apply(turn, { rate: this.rate }, undefined);
    return Math.fround(loss);
  }

  /** The loss, and the gradients of encoder and branch in PyTorch's layout. Changes nothing but running statistics. */
  lossAndGradients(name: string, batch: PatchBatch): { loss: number; gradients: WeightSet } {
    const { computation, turn } = this.branch(name);
    const loss = Math.fround(computation.backward(turn, batch, batch.patches, this.parts.steps).loss);
    const gradients = this.parts.of(turn).map((parameter) => {
      return { name: parameter.name, shape: parameter.shape, values: parameter.readAndFreeGradient() };
    });
    return { loss, gradients };
  }

  /** Probabilities of one patch's voxels, [x, y, z, class] with the background first: the branch's softmax in evaluation. */
  predict(name: string, input: Float32Array, size: PatchSize): Float32Array {
    const { network } = this.branch(name);
    const tape = new Tape(this.runtime, false);
    const logits = network.forward(tape, this.parameters, tape.input(this.runtime.tensor(input, [1, ...size, 1])));
    const softmax = this.runtime.runOne('Softmax', FLOAT, [logits.tensor]);
    logits.tensor.free();
    const values = this.runtime.read(softmax);
    softmax.free();
    return values;
  }

  /** Copies weights in PyTorch's layout, in any order; MANIFEST_MISMATCH when they are another network's. */
  loadWeights(weights: WeightSet): void {
    this.parameters.load(weights);
  }

  /** A copy of encoder and branches in PyTorch's layout and the manifest's order. */
  readWeights(): WeightSet {
    return this.parameters.read();
  }

  /** Takes back what {@link readOptimizerState} gave; MANIFEST_MISMATCH when it is another network's. */
  loadOptimizerState(state: WeightSet): void {
    this.parts.loadState(state);
  }

  readOptimizerState(): WeightSet {
    return this.parts.readState();
  }

  /** Frees parameters and slots; the runtime stays open. */
  dispose(): void {
    this.parts.dispose();
    this.parameters.dispose();
  }

  private branch(name: string): Branch {
    return required(this.branches.get(name), 'a branch of this name');
  }
}
