import { invariant } from '@consilium/shared/kernel';
import type { RangeFold } from '../recipe.js';

/** Σ wᵢ·δᵢ / Σ wᵢ in 64 bits, added in the order of the calls: the same order gives the same bits. */
export function openWeightedMean(elements: number): RangeFold {
  const sums = new Float64Array(elements);
  let totalWeight = 0;
  return {
    add(values, weight) {
      invariant(values.length === elements, 'a range of an update has the length of the fold');
      invariant(weight > 0, 'an update has a positive weight');
      totalWeight += weight;
      for (let i = 0; i < elements; i++) sums[i] = (sums[i] as number) + weight * (values[i] as number);
    },
    combined() {
      invariant(totalWeight > 0, 'a mean needs at least one update');
      for (let i = 0; i < elements; i++) sums[i] = (sums[i] as number) / totalWeight;
      return sums;
    },
  };
}
