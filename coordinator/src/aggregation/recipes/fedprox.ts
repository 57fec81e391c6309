/**
 * FedProx: Li, Sahu, Zaheer, Sanjabi, Talwalkar and Smith, "Federated Optimization in Heterogeneous Networks", MLSys 2020,
 * algorithm 2. Its proximal term belongs to the sites' training (the local rule of a round plan). The paper draws sites by their
 * size and averages them plainly; here whoever delivered is averaged by patches, as in federated averaging.
 */
import type { RecipeOf } from '@consilium/shared/wire';
import { applyDelta } from '../advance/apply-delta.js';
import { weightedMean } from '../combine/weighted-mean.js';
import type { Recipe } from '../recipe.js';
import { cappedPatches } from './capped-patches.js';

export function fedprox(plan: RecipeOf<'fedprox'>): Recipe {
  return {
    weightOf: (update) => cappedPatches(update, plan),
    combine: weightedMean,
    carried: [],
    advance: (range) => applyDelta(range),
  };
}
