import type { Combine } from '../recipe.js';

/**
 * Σ wᵢ·δᵢ divided by the recipe's divisor, in 64 bits and in site order. It is the one way that does not need all updates of a
 * range in memory at once, so its loop belongs to the fold itself (fold/piece-folder).
 */
export const weightedMean: Combine = { kind: 'weighted-mean' };
