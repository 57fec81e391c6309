/** Linear interpolation between order statistics (Hyndman and Fan, The American Statistician 1996, definition 7). */

/** The quantile, 0 to 1, of values in ascending order; NaN of none. */
export function percentileOfSorted(sorted: ArrayLike<number>, quantile: number): number {
  const position = quantile * (sorted.length - 1);
  const below = Math.floor(position);
  const [low, high] = [sorted[below] ?? NaN, sorted[Math.ceil(position)] ?? NaN];
  return low + (high - low) * (position - below);
}

/** As above, of values in any order. */
export function percentile(values: readonly number[], quantile: number): number {
  return percentileOfSorted(Float64Array.from(values).sort(), quantile);
}
