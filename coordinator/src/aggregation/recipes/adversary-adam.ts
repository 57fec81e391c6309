/**
 * The step of a frozen adversary (docs/methods/frozen-adversary): the mean of the sites' gradients, weighted by the patches behind
 * each, is the gradient over all these patches, and Adam goes one step along it. Updates bring minus their gradient. A site's
 * weight is its patches, up to those that the plan asks for. Carries both moments.
 */
import { advanceByCorrectedAdam } from '../advance/corrected-adam.js';
import { weightedMean } from '../combine/weighted-mean.js';
import type { AdversaryAdam, Recipe } from '../recipe.js';

export function adversaryAdam(plan: AdversaryAdam): Recipe {
  return {
    weightOf: ({ patches }) => Math.min(patches, plan.patches),
    combine: weightedMean,
    carried: [
      { name: 'first', initial: 0 },
      { name: 'second', initial: 0 },
    ],
    advance: (range) => advanceByCorrectedAdam(range, plan),
  };
}
