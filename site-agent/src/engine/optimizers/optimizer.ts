import type { WeightSet } from '@consilium/shared/weights';
import type { Parameter } from '../parameters.js';

/** Changes parameters in place from their gradients, and can hand over and take back its exact 32-bit state. */
export interface Optimizer {
  /** One update of all parameters with the gradients they hold, which are taken and freed. */
  apply(parameters: readonly Parameter[], rate: number): void;
  /** Slots in PyTorch's layout, then `step`: loaded again, the next update has the same bits. */
  readState(): WeightSet;
  /** Throws MANIFEST_MISMATCH when the state is another optimizer's or another model's. */
  loadState(state: WeightSet): void;
  dispose(): void;
}

/** How an optimizer is set; the learning rate comes with each step. */
export type OptimizerSettings =
  | { readonly kind: 'sgd'; readonly momentum: number }
  | { readonly kind: 'adam'; readonly beta1: number; readonly beta2: number; readonly epsilon: number };
