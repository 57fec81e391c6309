/**
 * The coordinate-wise trimmed mean: Yin, Chen, Ramchandran and Bartlett, "Byzantine-Robust Distributed Learning: Towards Optimal
 * Statistical Rates", ICML 2018, definition 2. Of n values the ⌊trim · n⌋ smallest and as many of the largest are left out.
 */
import type { Ranks } from '../recipe.js';

export function trimmedRanks(updates: number, trim: number): Ranks {
  const cut = Math.floor(trim * updates);
  return { from: cut, to: updates - cut };
}
