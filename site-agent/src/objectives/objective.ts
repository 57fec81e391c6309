import type { StepFigures } from '@consilium/shared/wire';
import type { Activation } from '../engine/activation.js';
import type { ParameterSet } from '../engine/parameters.js';
import type { Runtime } from '../engine/runtime/runtime.js';
import type { Tape } from '../engine/tape.js';
import type { Tensor } from '../engine/tensor.js';
import type { PatchLabels } from '../training/patch-batch.js';

/** What a step of training teaches. It never sees the optimizer: it says which parameters are updated, and when. */
export interface Objective {
  /** Disjoint groups of parameters, each with an optimizer of its own; what is in none of them is never updated. */
  readonly parts: readonly ParameterPart[];
  /**
   * What a step consists of, one turn after the other, from the number of steps that its parts' first optimizer has made. Only
   * the last turn updates the first part.
   */
  turnsOf(step: number): readonly Turn[];
}

export interface ParameterPart {
  readonly name: string;
  readonly holds: (parameter: string) => boolean;
}

/** Forward, losses, backward over the whole batch, then an update of some parts. */
export interface Turn {
  /** Names of the parts that are updated; the gradients of all others are forgotten. */
  readonly updates: readonly string[];
  /** True when a batch's loss is the mean of its examples' losses, so that each example can be finished on its own. */
  readonly separable: boolean;
  /** The answers that are judged, logits of any element type; takes over the input. All of them lie on the given tape. */
  forward(tape: Tape, parameters: ParameterSet, input: Activation): readonly Activation[];
  /**
   * Compares the answers, in 32 bits and only read, with what is wanted. Loss and gradients are multiplied by `share`.
   */
  judge(runtime: Runtime, answers: readonly Tensor[], wanted: WantedOf, share: number): Judgement;
}

/** What some neighbouring examples of a batch should give. */
export interface WantedOf {
  readonly examples: number;
  /** Theirs alone, as the batch lays it out. */
  readonly target: Float32Array;
  readonly labels?: PatchLabels | undefined;
}

export interface Judgement {
  readonly loss: number;
  /** One for each answer, in its shape; the caller owns them. */
  readonly gradients: readonly Tensor[];
  /** Sums over the examples of what is shown while training. */
  readonly sums?: StepFigures | undefined;
}
