import type { Sides } from '@consilium/shared/models';
import type { Activation } from '../engine/activation.js';
import type { ParameterSet } from '../engine/parameters.js';
import type { Tape } from '../engine/tape.js';

/** A network as a function over a tape; its parameters live elsewhere. */
export interface Network {
  /** Parameters of the manifest that have no effect and no gradient. */
  readonly idleParameters: ReadonlySet<string>;
  /** True when no layer mixes examples, so that a batch may be run one example at a time with the same result. */
  readonly examplesIndependent: boolean;
  /** What each side of the input must be a multiple of. */
  readonly sideMultiples: Sides;
  readonly inputChannels: number;
  readonly outputs: number;
  /** Sides of the answer to an input of the given sides; undefined when there is one answer per example. */
  outputSides(sides: Sides): Sides | undefined;
  /**
   * [examples, x, y, z, inputs] → logits [examples, …outputSides, outputs], or [examples, outputs] for one answer per example;
   * takes over the input.
   */
  forward(tape: Tape, parameters: ParameterSet, input: Activation): Activation;
}
