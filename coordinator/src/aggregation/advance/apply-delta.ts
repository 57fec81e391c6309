import type { RangeToAdvance } from '../recipe.js';

/** next = base + rate · delta, rounded once to 32 bits. */
export function applyDelta({ base, delta, next, kernels }: RangeToAdvance, rate = 1): void {
  kernels.applyDelta(delta, base, next, rate);
}
