/**
 * FedBuff: Nguyen, Malik, Zhan, Yousefpour, Rabbat, Malek and Huba, "Federated Learning with Buffered Asynchronous Aggregation",
 * AISTATS 2022, algorithm 1 with the staleness scaling of its experiments: x ← x + η/K · Σ s(τᵢ)·Δᵢ, s(τ) = (1 + τ)⁻ᵅ. The paper's
 * K counts updates; ours counts patches, so that the sum is divided by the unscaled weights and stale updates make a
 * smaller step, as in the paper, rather than a step of full size in an old direction.
 */
import type { RecipeOf } from '@consilium/shared/wire';
import { applyDelta } from '../advance/apply-delta.js';
import { weightedMean } from '../combine/weighted-mean.js';
import type { Recipe } from '../recipe.js';
import { cappedPatches } from './capped-patches.js';

export function fedbuff(plan: RecipeOf<'fedbuff'>): Recipe {
  return {
    weightOf: (update) => cappedPatches(update, plan) * (1 + update.staleness) ** -plan.stalenessExponent,
    divisorOf: (updates) => updates.reduce((sum, update) => sum + cappedPatches(update, plan), 0),
    isTooStale: ({ staleness }) => staleness > plan.maximumStaleness,
    combine: weightedMean,
    carried: [],
    advance: (range) => applyDelta(range, plan.serverLearningRate),
  };
}
