/**
 * Coordinate-wise median of the deltas (combine/coordinate-median has the citation). Every site counts the same: a bad site could
 * otherwise claim many patches.
 */
import { applyDelta } from '../advance/apply-delta.js';
import { medianRanks } from '../combine/coordinate-median.js';
import type { Recipe } from '../recipe.js';

export const median: Recipe = {
  weightOf: () => 1,
  combine: { kind: 'mean-of-ranks', ranksOf: medianRanks },
  carried: [],
  advance: (range) => applyDelta(range),
};
