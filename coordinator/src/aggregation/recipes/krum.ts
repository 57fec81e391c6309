/**
 * Krum: the one update that the others agree with most becomes the round's delta (select/krum-scores has the citation).
 */
import type { RecipeOf } from '@consilium/shared/wire';
import { applyDelta } from '../advance/apply-delta.js';
import { weightedMean } from '../combine/weighted-mean.js';
import type { Recipe } from '../recipe.js';
import { krumScores, lowestScores } from '../select/krum-scores.js';

export function krum({ byzantine }: RecipeOf<'krum'>): Recipe {
  return {
    weightOf: () => 1,
    choose: (distances) => lowestScores(krumScores(distances, byzantine), 1),
    combine: weightedMean,
    carried: [],
    advance: (range) => applyDelta(range),
  };
}
