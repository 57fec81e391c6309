/**
 * Federated averaging: McMahan, Moore, Ramage, Hampson and Agüera y Arcas, "Communication-Efficient Learning of Deep Networks
 * from Decentralized Data", AISTATS 2017, algorithm 1, in its delta form. The weight nₖ is the number of patches that the site
 * trained in the round, capped when the plan says so.
 */
import type { RecipeOf } from '@consilium/shared/wire';
import { applyDelta } from '../advance/apply-delta.js';
import { weightedMean } from '../combine/weighted-mean.js';
import type { Recipe } from '../recipe.js';
import { cappedPatches } from './capped-patches.js';

export function fedavg(plan: RecipeOf<'fedavg'>): Recipe {
  return {
    weightOf: (update) => cappedPatches(update, plan),
    combine: weightedMean,
    carried: [],
    advance: (range) => applyDelta(range),
  };
}
