import type { Combine } from '../recipe.js';

/**
 * Σ wᵢ·δᵢ divided by the recipe's divisor, in 64 bits and in site order, a few updates at a time (fold/piece-folder).
 */
export const weightedMean: Combine = { kind: 'weighted-mean' };
