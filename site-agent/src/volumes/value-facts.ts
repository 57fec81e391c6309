import { MR_PERCENTILES } from '../preprocessing/intensity.js';
import { nonZero, percentilesOf } from '../preprocessing/order-statistics.js';

/** What is measured on the voxels of a volume. */
export interface ValueFacts {
  readonly minimum: number;
  readonly maximum: number;
  readonly lowPercentile: number;
  readonly highPercentile: number;
}

export function measureValues(voxels: Float32Array): ValueFacts {
  let minimum = Infinity;
  let maximum = -Infinity;
  for (const value of voxels) {
    if (value < minimum) minimum = value;
    if (value > maximum) maximum = value;
  }
  const [lowPercentile = 0, highPercentile = 0] = percentilesOf(nonZero(voxels), MR_PERCENTILES);
  return { minimum, maximum, lowPercentile, highPercentile };
}
