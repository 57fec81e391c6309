/**
 * The coordinate-wise median: Yin, Chen, Ramchandran and Bartlett, "Byzantine-Robust Distributed Learning: Towards Optimal
 * Statistical Rates", ICML 2018, definition 1. With an even number of updates it is the mean of the two in the middle.
 */
import { forSortedColumns } from './sort-columns.js';

export function coordinateMedian(deltas: readonly Float32Array[], into: Float64Array): void {
  const upper = deltas.length >> 1;
  const lower = (deltas.length - 1) >> 1;
  forSortedColumns(deltas, (sorted, place) => {
    into[place] = ((sorted[lower] as number) + (sorted[upper] as number)) / 2;
  });
}
