/**
 * The coordinate-wise median: Yin, Chen, Ramchandran and Bartlett, "Byzantine-Robust Distributed Learning: Towards Optimal
 * Statistical Rates", ICML 2018, definition 1. With an even number of updates it is the mean of the two in the middle.
 */
import type { Ranks } from '../recipe.js';

export function medianRanks(updates: number): Ranks {
  return { from: (updates - 1) >> 1, to: (updates >> 1) + 1 };
}
