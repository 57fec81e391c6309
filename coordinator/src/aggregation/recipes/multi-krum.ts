/**
 * Multi-Krum: the plain mean of the m updates with the lowest Krum scores (Blanchard et al., NeurIPS 2017, section 5;
 * select/krum-scores has the full citation). Scores are taken once, not anew after each choice. m is all but the bad ones when
 * the plan does not say.
 */
import type { RecipeOf } from '@consilium/shared/wire';
import { applyDelta } from '../advance/apply-delta.js';
import { weightedMean } from '../combine/weighted-mean.js';
import type { Recipe } from '../recipe.js';
import { krumScores, lowestScores } from '../select/krum-scores.js';

export function multiKrum({ byzantine, kept }: RecipeOf<'multi-krum'>): Recipe {
  return {
    weightOf: () => 1,
    choose: (distances) => lowestScores(krumScores(distances, byzantine), kept ?? Math.max(1, distances.updates - byzantine)),
    combine: weightedMean,
    carried: [],
    advance: (range) => applyDelta(range),
  };
}
