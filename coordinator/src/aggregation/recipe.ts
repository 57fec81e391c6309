/**
 * A recipe says how the updates of a round become the next version: what an update weighs, which updates are chosen, how they are
 * combined weight by weight, and how the model advances by the combined delta. It is made from the campaign's recipe plan, in the
 * coordinator's main thread and again in each thread that folds.
 */
import type { RecipePlan } from '@consilium/shared/wire';
import type { RangeKernels } from './kernels/range-kernels.js';
import type { PairDistances } from './select/pair-distances.js';

/** What an adversary round does instead of the campaign's recipe. */
export interface AdversaryAdam {
  readonly name: 'adversary-adam';
  readonly learningRate: number;
  /** Which step of the adversary it is, from 1. */
  readonly step: number;
  /** What each site was asked for. */
  readonly patches: number;
}

/** What a round may be folded by: plain data that a thread can be given. */
export type FoldRecipe = RecipePlan | AdversaryAdam;

/** What a recipe may know of an update beside its numbers. */
export interface UpdateFacts {
  readonly siteName: string;
  readonly patches: number;
  /** How many versions newer than the update's own base the fold's base is; 0 when it is the same. */
  readonly staleness: number;
}

/** Why an accepted update is not part of a fold: the recipe chose others, or it is older than the recipe allows. */
export type LeftOutCode = 'NOT_CHOSEN' | 'UPDATE_BASE_STALE';

/** One range of the model at the time it advances. All arrays have the same length and lie in the memory of the kernels. */
export interface RangeToAdvance {
  readonly base: Float32Array;
  /** The combined delta. */
  readonly delta: Float64Array;
  /** To be filled with the next version; never the same array as `base`. */
  readonly next: Float32Array;
  /** What the recipe carries from round to round, in the order in which it names it: read, and replaced by the next values. */
  readonly carried: readonly Float32Array[];
  readonly kernels: RangeKernels;
}

/** Places [from, to) of sorted values. */
export interface Ranks {
  readonly from: number;
  readonly to: number;
}

/**
 * How the deltas of a range are combined: added up with their weights, or sorted weight by weight over all sites and the plain
 * mean taken of some ranks.
 */
export type Combine =
  { readonly kind: 'weighted-mean' } | { readonly kind: 'mean-of-ranks'; readonly ranksOf: (updates: number) => Ranks };

/** A tensor that a recipe keeps for every federated parameter, stored as `name/PARAMETER` in 32 bits. */
export interface CarriedTensor {
  readonly name: string;
  /** Its value in the first round. */
  readonly initial: number;
}

export interface Recipe {
  /** An update's weight in the sum; above 0. */
  weightOf(update: UpdateFacts): number;
  /** What the weighted sum is divided by, when that is not the sum of the weights. */
  divisorOf?(updates: readonly UpdateFacts[]): number;
  /** True for an update that is older than the recipe allows. */
  isTooStale?(update: UpdateFacts): boolean;
  /** The updates that are folded, by their places in the list; all of them when a recipe does not choose. */
  choose?(distances: PairDistances): number[];
  readonly combine: Combine;
  readonly carried: readonly CarriedTensor[];
  /**
   * Present when updates bring changes of control variates: what their sum is divided by before it is added to the carried
   * tensor, of which there is then exactly one.
   */
  controlsDividedBy?(sitesOfCampaign: number): number;
  /** Fills `next` and replaces what is carried. */
  advance(range: RangeToAdvance): void;
}
