/**
 * Federated averaging with momentum at the coordinator: Hsu, Qi and Brown, "Measuring the Effects of Non-Identical Data
 * Distribution for Federated Visual Classification", 2019, section 4. Carries the velocity.
 */
import type { RecipeOf } from '@consilium/shared/wire';
import { advanceByMomentum } from '../advance/momentum.js';
import { weightedMean } from '../combine/weighted-mean.js';
import type { Recipe } from '../recipe.js';
import { cappedPatches } from './capped-patches.js';

export function fedavgm(plan: RecipeOf<'fedavgm'>): Recipe {
  return {
    weightOf: (update) => cappedPatches(update, plan),
    combine: weightedMean,
    carried: [{ name: 'momentum', initial: 0 }],
    advance: (range) => advanceByMomentum(range, plan),
  };
}
