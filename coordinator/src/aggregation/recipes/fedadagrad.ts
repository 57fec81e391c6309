/**
 * FedAdagrad: Reddi, Charles, Zaheer, Garrett, Rush, Konečný, Kumar and McMahan, "Adaptive Federated Optimization", ICLR 2021,
 * algorithm 2, with deltas weighted by patches. Carries the sum of squares.
 */
import type { RecipeOf } from '@consilium/shared/wire';
import { advanceByAdagrad } from '../advance/adagrad.js';
import { secondMoment } from '../advance/adaptive-moments.js';
import { weightedMean } from '../combine/weighted-mean.js';
import type { Recipe } from '../recipe.js';
import { cappedPatches } from './capped-patches.js';

export function fedadagrad(plan: RecipeOf<'fedadagrad'>): Recipe {
  return {
    weightOf: (update) => cappedPatches(update, plan),
    combine: weightedMean,
    carried: [secondMoment(plan)],
    advance: (range) => advanceByAdagrad(range, plan),
  };
}
