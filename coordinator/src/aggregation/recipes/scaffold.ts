/**
 * SCAFFOLD: Karimireddy, Kale, Mohri, Reddi, Stich and Suresh, "SCAFFOLD: Stochastic Controlled Averaging for Federated Learning",
 * ICML 2020, algorithm 1, lines 16 and 17: x ← x + η/|S| · Σ Δyᵢ and c ← c + 1/N · Σ Δcᵢ, every site counting the same. N is
 * all sites of the campaign, S those that delivered. Sites bring Δcᵢ beside their deltas; c is carried and sent to them.
 */
import type { RecipeOf } from '@consilium/shared/wire';
import { applyDelta } from '../advance/apply-delta.js';
import { weightedMean } from '../combine/weighted-mean.js';
import type { Recipe } from '../recipe.js';

export function scaffold(plan: RecipeOf<'scaffold'>): Recipe {
  return {
    weightOf: () => 1,
    combine: weightedMean,
    carried: [{ name: 'control', initial: 0 }],
    controlsDividedBy: (sitesOfCampaign) => sitesOfCampaign,
    advance: (range) => applyDelta(range, plan.serverLearningRate),
  };
}
