/** Percentile bootstrap (Efron 1979) of a mean over cases. */
import { Random } from '@consilium/shared/kernel';
import { mean } from './metrics.js';

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** 95 % interval of the mean; seeded, so that a report can be made again. Undefined below three values: nothing to resample. */
export function bootstrapInterval(values: readonly number[], seed = 'bootstrap', resamples = 2000): Interval | undefined {
  if (values.length < 3) return undefined;
  const random = new Random(seed);
  const means = Array.from({ length: resamples }, () =>
    mean(values.map(() => values[random.integer(0, values.length - 1)] ?? 0)),
  );
  means.sort((a, b) => a - b);
  return { low: means[Math.floor(0.025 * resamples)] ?? NaN, high: means[Math.ceil(0.975 * resamples) - 1] ?? NaN };
}
