import type { WeightSet } from '@consilium/shared/weights';
import type { Parameter } from '../parameters.js';

/** Changes parameters in place from their gradients, and can hand over and take back its exact 32-bit state. */
export interface Optimizer {
  /** Updates made so far, over all attempts. */
  readonly steps: number;
  /**
   * One update with the gradients that the parameters hold, which are taken and freed; those of frozen parameters are
   * dropped. `factorOf` may multiply the rate of single parameters, by name. When it throws, all gradients are dropped and some
   * parameters may have changed.
   */
  apply(parameters: readonly Parameter[], rate: number, factorOf?: RateFactorOf): void;
  /** Slots in PyTorch's layout, then `step`: loaded again, the next update has the same bits. */
  readState(): WeightSet;
  /** Throws MANIFEST_MISMATCH when the state is another optimizer's or another model's. */
  loadState(state: WeightSet): void;
  /**
   * The moving average of the parameters that are updated, under their names and in PyTorch's layout; frozen ones equal their
   * average. Undefined when no average is asked for, and before the first update.
   */
  readAverage(): WeightSet | undefined;
  dispose(): void;
}

/** What a parameter's rate is multiplied with in this step, beside its group's factor. */
export type RateFactorOf = (name: string) => number;

/** How an optimizer is set; the learning rate comes with each step. What is left out is off. */
export type OptimizerSettings = MethodSettings & SharedSettings;

/** What turns a gradient into a step. */
export type MethodSettings =
  | { readonly kind: 'sgd'; readonly momentum: number; readonly nesterov?: boolean | undefined }
  | ({ readonly kind: 'adam' | 'adamw' | 'lamb' } & MomentSettings);

/** Decay of the two moments per step, and the number that keeps the quotient finite. */
export interface MomentSettings {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

export interface SharedSettings {
  /** Pull towards zero: added to the gradient by SGD and Adam (L2), apart from it by AdamW and LAMB (decoupled). */
  readonly weightDecay?: number | undefined;
  /** False spares parameters of one dimension (norms, biases) the weight decay. */
  readonly decayVectors?: boolean | undefined;
  /** Longest Euclidean norm of all gradients together; longer ones are scaled down to it. */
  readonly clipNorm?: number | undefined;
  /** Share of the old value in the moving average of the weights, per step. */
  readonly averageDecay?: number | undefined;
  /** The first group that matches a parameter counts; without one the settings above do. */
  readonly groups?: readonly ParameterGroup[] | undefined;
}

/** Settings of their own for some parameters. */
export interface ParameterGroup {
  /** How the parameters' names begin, or with `*` for any characters a pattern of the whole name. */
  readonly match: string;
  readonly rateFactor?: number | undefined;
  readonly weightDecay?: number | undefined;
  /** These parameters stay as they are, and nothing is kept for them. */
  readonly frozen?: boolean | undefined;
}
