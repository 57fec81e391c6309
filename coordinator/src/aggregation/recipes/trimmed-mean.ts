/**
 * Coordinate-wise trimmed mean of the deltas (combine/trimmed-mean has the citation). Every site counts the same: a bad site could
 * otherwise claim many patches.
 */
import type { RecipeOf } from '@consilium/shared/wire';
import { applyDelta } from '../advance/apply-delta.js';
import { trimmedRanks } from '../combine/trimmed-mean.js';
import type { Recipe } from '../recipe.js';

export function trimmedMean({ trim }: RecipeOf<'trimmed-mean'>): Recipe {
  return {
    weightOf: () => 1,
    combine: { kind: 'mean-of-ranks', ranksOf: (updates) => trimmedRanks(updates, trim) },
    carried: [],
    advance: (range) => applyDelta(range),
  };
}
