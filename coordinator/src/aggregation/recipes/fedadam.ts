/**
 * FedAdam: Reddi, Charles, Zaheer, Garrett, Rush, Konečný, Kumar and McMahan, "Adaptive Federated Optimization", ICLR 2021,
 * algorithm 2, with deltas weighted by patches. Carries both moments.
 */
import type { RecipeOf } from '@consilium/shared/wire';
import { advanceByAdam } from '../advance/adam.js';
import { firstMoment, secondMoment } from '../advance/adaptive-moments.js';
import { weightedMean } from '../combine/weighted-mean.js';
import type { Recipe } from '../recipe.js';
import { cappedPatches } from './capped-patches.js';

export function fedadam(plan: RecipeOf<'fedadam'>): Recipe {
  return {
    weightOf: (update) => cappedPatches(update, plan),
    combine: weightedMean,
    carried: [firstMoment, secondMoment(plan)],
    advance: (range) => advanceByAdam(range, plan),
  };
}
