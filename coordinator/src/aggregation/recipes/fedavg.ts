/**
 * Federated averaging: McMahan, Moore, Ramage, Hampson and Agüera y Arcas, "Communication-Efficient Learning of Deep Networks
 * from Decentralized Data", AISTATS 2017, algorithm 1, in its delta form. The weight nₖ is the number of patches that the site
 * trained in the round, capped when the plan says so.
 */
import { applyDelta } from '../advance/apply-delta.js';
import { openWeightedMean } from '../combine/weighted-mean.js';
import type { Recipe } from '../recipe.js';

export const fedavg: Recipe = {
  weightOf: (patches, plan) =>
    Math.min(patches, ('maximumPatchesPerSite' in plan ? plan.maximumPatchesPerSite : undefined) ?? Number.POSITIVE_INFINITY),
  openFold: openWeightedMean,
  advance: applyDelta,
};
