import type { WeightSet } from '@consilium/shared/weights';
import { constantTerm, type GradientTerm, pullTerm } from '../../engine/gradient-terms.js';
import type { Parameter } from '../../engine/parameters.js';
import type { Runtime } from '../../engine/runtime/runtime.js';

/** What a local rule adds to each step's gradients, as data, so that every device of a site adds the same. */
export interface GradientRule {
  /** Adds pull · (w − tensor); left out, the tensor itself is added. */
  readonly pull?: number | undefined;
  /** By the parameters' names, in PyTorch's layout; parameters that are not among them are left alone. */
  readonly tensors: WeightSet;
}

export function openGradientRule(
  runtime: Runtime,
  parameters: readonly Parameter[],
  { pull, tensors }: GradientRule,
): GradientTerm {
  return pull === undefined ? constantTerm(runtime, parameters, tensors) : pullTerm(runtime, parameters, tensors, pull);
}
