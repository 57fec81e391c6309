/**
 * FedProx (Li et al., MLSys 2020, section 3.2): mu/2 · ‖w − base‖² is added to the loss, so that sites with unlike data do not
 * drift far from the version they started with. Being part of the loss, its gradient is clipped with the rest.
 */
import type { WeightSet } from '@consilium/shared/weights';
import type { GradientRule } from './gradient-rule.js';

/** `base` holds the federated parameters only: what a site keeps for itself is pulled nowhere. */
export function proximalRule(mu: number, base: WeightSet): GradientRule {
  return { pull: mu, tensors: base };
}
