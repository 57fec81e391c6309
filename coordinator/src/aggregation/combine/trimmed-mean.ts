/**
 * The coordinate-wise trimmed mean: Yin, Chen, Ramchandran and Bartlett, "Byzantine-Robust Distributed Learning: Towards Optimal
 * Statistical Rates", ICML 2018, definition 2. Of n values the ⌊trim · n⌋ smallest and as many of the largest are left out.
 */
import { forSortedColumns } from './sort-columns.js';

export function trimmedMean(deltas: readonly Float32Array[], trim: number, into: Float64Array): void {
  const cut = Math.floor(trim * deltas.length);
  const end = deltas.length - cut;
  forSortedColumns(deltas, (sorted, place) => {
    let sum = 0;
    for (let i = cut; i < end; i++) sum += sorted[i] as number;
    into[place] = sum / (end - cut);
  });
}
