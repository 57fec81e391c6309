import type { RecipePlan } from '@consilium/shared/wire';

/** Folds the same range of all updates of a round, one site at a time, so that memory stays flat in the number of sites. */
export interface RangeFold {
  /** `values` is this site's delta for the range; not kept. */
  add(values: Float32Array, weight: number): void;
  /** The combined delta in 64 bits; call once, after the last site. */
  combined(): Float64Array;
}

/** How the updates of a round become the next version: a weight for each update, a way to combine, a way to advance. */
export interface Recipe {
  /** An update's weight from the patches that its site trained. */
  weightOf(patches: number, plan: RecipePlan): number;
  openFold(elements: number): RangeFold;
  /** The next version's range; `base` is not changed. */
  advance(base: Float32Array, delta: Float64Array): Float32Array;
}
