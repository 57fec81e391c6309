/**
 * Adam: Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1, with the correction of both moments for
 * their start at 0, in PyTorch's order: θ ← θ + lr/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε). The combined delta is minus a gradient, so the
 * step is added. In 64 bits; θ, m and v are rounded once to 32.
 */
import type { RangeToAdvance } from '../recipe.js';

export interface AdamStep {
  readonly learningRate: number;
  /** t, from 1. */
  readonly step: number;
}

/** PyTorch's defaults. */
const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;

export function advanceByCorrectedAdam({ base, delta, next, carried }: RangeToAdvance, { learningRate, step }: AdamStep): void {
  const [firsts, seconds] = carried as readonly [Float32Array, Float32Array];
  const rate = learningRate / (1 - BETA1 ** step);
  const correction = Math.sqrt(1 - BETA2 ** step);
  for (let i = 0; i < next.length; i++) {
    const descent = delta[i] as number;
    const first = BETA1 * (firsts[i] as number) + (1 - BETA1) * descent;
    const second = BETA2 * (seconds[i] as number) + (1 - BETA2) * descent * descent;
    firsts[i] = first;
    seconds[i] = second;
    next[i] = (base[i] as number) + (rate * first) / (Math.sqrt(second) / correction + EPSILON);
  }
}
