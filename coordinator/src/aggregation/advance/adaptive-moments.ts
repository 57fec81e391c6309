/**
 * What the adaptive recipes of Reddi et al., "Adaptive Federated Optimization" (ICLR 2021, algorithm 2) have in common. The
 * algorithm starts from v ≥ τ²; ours starts from τ² itself. (Flower starts from 0.)
 */
import type { CarriedTensor } from '../recipe.js';

export interface MomentArguments {
  readonly serverLearningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly tau: number;
}

/** The running mean of the deltas, m. */
export const firstMoment: CarriedTensor = { name: 'first', initial: 0 };

/** The running mean, or sum, of the squared deltas, v. */
export function secondMoment({ tau }: { tau: number }): CarriedTensor {
  return { name: 'second', initial: tau * tau };
}
