import type { Parameter } from '../parameters.js';
import type { Tensor } from '../tensor.js';
import type { Slots } from './slots.js';
import type { StepScalars } from './step-scalars.js';

/** How one parameter is changed from its gradient: the part in which optimizers differ. */
export interface UpdateRule {
  /** What is kept beside each parameter from step to step, zero at first. */
  readonly slotKinds: readonly string[];
  /** True when {@link update} sees to the weight decay; otherwise the gradient holds it already, as an L2 penalty. */
  readonly decoupledDecay: boolean;
  /** Changes the parameter and its slots in place; only reads the gradient. */
  update(change: Change): void;
}

/** One parameter's part in one step. */
export interface Change {
  readonly parameter: Parameter;
  /** In TensorFlow's layout; the caller frees it. */
  readonly gradient: Tensor;
  /** The learning rate times the factor of the parameter's group. */
  readonly rate: number;
  readonly weightDecay: number;
  /** Counted from 1. */
  readonly step: number;
  readonly slots: Slots;
  readonly scalars: StepScalars;
}
