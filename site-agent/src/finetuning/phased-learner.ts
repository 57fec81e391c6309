import { invariant } from '@consilium/shared/kernel';
import { statisticNames } from '@consilium/shared/models';
import type { WeightSet } from '@consilium/shared/weights';
import type { Learner } from '../training/learner.js';
import type { AnswerActivation } from '../training/batch-computation.js';
import type { Checkpoint } from '../training/checkpoint.js';
import type { PatchBatch, PatchSize } from '../training/patch-batch.js';
import type { Trainee, TrainingState } from '../training/train.js';
import { frozenStatistics, isFrozenAt, rampAt, type Treated } from './parameter-treatment.js';

/**
 * The learner of a fine-tuning whose parameters may rest at first. When they awake, everything goes on with a fresh optimizer,
 * whose moments would otherwise know only half of the network. Give it the step before it trains ({@link enter}).
 */
export class PhasedLearner implements Trainee {
  private learner: Learner | undefined;
  private frozen: boolean | undefined;
  private nextStep = 0;
  /** What the frozen layers' running statistics are; training moves them all the same. */
  private readonly resting: WeightSet;

  /** `open` makes a learner for a phase, without weights; this object disposes of it. */
  constructor(
    private readonly treated: Treated,
    private readonly weights: WeightSet,
    private readonly open: (frozen: boolean) => Learner,
  ) {
    const names = frozenStatistics(treated, statisticNames(treated.spec));
    this.resting = weights.filter(({ name }) => names.has(name));
  }

  /** Begins with the start weights, or where a checkpoint left off. */
  begin(checkpoint: Checkpoint | undefined): void {
    const done = checkpoint?.state.step ?? 0;
    // The last step before the checkpoint says which optimizer it holds.
    this.change(isFrozenAt(this.treated.training, Math.max(0, done - 1)), checkpoint?.parameters ?? this.weights);
    if (checkpoint !== undefined) this.current.loadOptimizerState(checkpoint.optimizer);
  }

  /** Makes ready for the step, counted from 0: the next phase where one begins there. */
  enter(step: number): void {
    this.nextStep = step;
    const frozen = isFrozenAt(this.treated.training, step);
    if (frozen !== this.frozen) this.change(frozen, this.readWeights());
  }

  setLearningRate(rate: number): void {
    this.current.setLearningRate(rate, rampAt(this.treated, this.nextStep));
  }

  step(batch: PatchBatch): number {
    this.nextStep += 1;
    return this.current.step(batch);
  }

  predict(input: Float32Array, patches: number, size: PatchSize, last?: AnswerActivation): Float32Array {
    return this.current.predict(input, patches, size, last);
  }

  /** The weights with resting statistics as they were; the learner's own are put back to them. */
  readWeights(): WeightSet {
    const weights = this.current.readWeights();
    if (this.frozen !== true || this.resting.length === 0) return weights;
    const kept = new Map(this.resting.map((tensor) => [tensor.name, tensor]));
    const settled = weights.map((tensor) => kept.get(tensor.name) ?? tensor);
    this.current.loadWeights(settled);
    return settled;
  }

  checkpoint(state: TrainingState): Checkpoint {
    return { state, parameters: this.readWeights(), optimizer: this.current.readOptimizerState() };
  }

  dispose(): void {
    this.learner?.dispose();
    this.learner = undefined;
  }

  /** The weights are read before, so that only one learner holds memory at a time. */
  private change(frozen: boolean, weights: WeightSet): void {
    this.dispose();
    this.learner = this.open(frozen);
    this.frozen = frozen;
    this.learner.loadWeights(weights);
  }

  private get current(): Learner {
    invariant(this.learner !== undefined, 'a fine-tuning has begun');
    return this.learner;
  }
}
