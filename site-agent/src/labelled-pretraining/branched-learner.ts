import { required } from '@consilium/shared/kernel';
import { branchPrefix, manifestOf, type MedicalnetSpec, statisticNames } from '@consilium/shared/models';
import type { WeightSet } from '@consilium/shared/weights';
import type { OptimizerPlan } from '@consilium/shared/wire';
import { FLOAT } from '../engine/attributes.js';
import { createLoss } from '../engine/losses/create-loss.js';
import { createOptimizer } from '../engine/optimizers/create-optimizer.js';
import type { Optimizer } from '../engine/optimizers/optimizer.js';
import { type Parameter, ParameterSet } from '../engine/parameters.js';
import type { Runtime } from '../engine/runtime/runtime.js';
import { Tape } from '../engine/tape.js';
import type { Network } from '../networks/network.js';
import { buildBranch } from '../networks/resnet3d.js';
import { answerObjective } from '../objectives/answer-objective.js';
import type { Turn } from '../objectives/objective.js';
import { BatchComputation } from '../training/batch-computation.js';
import type { MemoryChoice } from '../training/choose-memory.js';
import type { PatchBatch, PatchSize } from '../training/patch-batch.js';
import { prefixed, withPrefix } from '../training/tensor-groups.js';

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

/** Parameters that are always updated together, and their optimizer. */
interface Part {
  readonly parameters: readonly Parameter[];
  readonly optimizer: Optimizer;
}

interface Branch {
  readonly network: Network;
  readonly computation: BatchComputation;
  readonly turn: Turn;
  readonly part: Part;
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
    private readonly encoder: Part,
    private readonly branches: ReadonlyMap<string, Branch>,
    rate: number,
  ) {
    this.rate = rate;
  }

  /** All weights are zero until {@link loadWeights}. */
  static create({ runtime, spec, optimizer, memory = 'lean', patchesPerPass }: BranchedLearnerOptions): BranchedLearner {
    const parameters = new ParameterSet(runtime, manifestOf(spec), new Set(), statisticNames(spec));
    const listed = spec.branches ?? [];
    const partOf = (belongs: (name: string) => boolean): Part => {
      const own = parameters.all().filter(({ name }) => belongs(name));
      return { parameters: own, optimizer: createOptimizer(runtime, own, optimizer) };
    };
    const encoder = partOf((name) => !listed.some((branch) => name.startsWith(branchPrefix(branch))));
    const loss = createLoss(BRANCH_LOSS);
    const settings = { voxelsPerPass: VOXELS_PER_PASS, patchesPerPass, memory };
    const branches = listed.map((branch): [string, Branch] => {
      const network = buildBranch(spec, branch);
      const computation = new BatchComputation(runtime, network, parameters, { ...settings, precision: 'f32' });
      const [turn] = answerObjective(network, loss).turnsOf(0);
      const part = partOf((name) => name.startsWith(branchPrefix(branch)));
      return [branch.name, { network, computation, turn: required(turn, 'the turn of a branch'), part }];
    });
    return new BranchedLearner(runtime, parameters, encoder, new Map(branches), optimizer.learningRate);
  }

  /** Counts from the next step on. */
  setLearningRate(rate: number): void {
    this.rate = rate;
  }

  /** One step on a batch of the branch's collection, whose target holds class numbers; the loss before the update. */
  step(name: string, batch: PatchBatch): number {
    const { computation, turn, part } = this.branch(name);
    const { loss } = computation.backward(turn, batch, batch.patches, this.encoder.optimizer.steps);
    for (const { parameters, optimizer } of [this.encoder, part]) optimizer.apply(parameters, this.rate);
    return Math.fround(loss);
  }

  /** The loss, and the gradients of encoder and branch in PyTorch's layout. Changes nothing but running statistics. */
  lossAndGradients(name: string, batch: PatchBatch): { loss: number; gradients: WeightSet } {
    const { computation, turn, part } = this.branch(name);
    const loss = Math.fround(computation.backward(turn, batch, batch.patches, this.encoder.optimizer.steps).loss);
    const gradients = [...this.encoder.parameters, ...part.parameters].map((parameter) => {
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
    for (const [name, { optimizer }] of this.parts()) optimizer.loadState(withPrefix(`${name}/`, state));
  }

  readOptimizerState(): WeightSet {
    return this.parts().flatMap(([name, { optimizer }]) => prefixed(`${name}/`, optimizer.readState()));
  }

  /** Frees parameters and slots; the runtime stays open. */
  dispose(): void {
    for (const [, { optimizer }] of this.parts()) optimizer.dispose();
    this.parameters.dispose();
  }

  /** By the prefix of their optimizers' state. */
  private parts(): [string, Part][] {
    return [
      ['encoder', this.encoder],
      ...[...this.branches].map(([name, { part }]): [string, Part] => [`branches.${name}`, part]),
    ];
  }

  private branch(name: string): Branch {
    return required(this.branches.get(name), 'a branch of this name');
  }
}
