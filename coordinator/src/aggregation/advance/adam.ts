/**
 * FedAdam's step: Reddi et al., "Adaptive Federated Optimization", ICLR 2021, algorithm 2: m ← β₁·m + (1 − β₁)·Δ,
 * v ← β₂·v + (1 − β₂)·Δ², x ← x + η·m / (√v + τ). As in the paper, and unlike Flower's FedAdam, moments are not corrected for
 * their bias: the first value of v, τ² (adaptive-moments), is what keeps the first steps small.
 */
import type { RangeToAdvance } from '../recipe.js';
import type { MomentArguments } from './adaptive-moments.js';

export function advanceByAdam(range: RangeToAdvance, plan: MomentArguments): void {
  const { base, delta, next } = range;
  const [firsts, seconds] = range.carried as readonly [Float32Array, Float32Array];
  const { serverLearningRate: rate, beta1, beta2, tau } = plan;
  for (let i = 0; i < next.length; i++) {
    const change = delta[i] as number;
    const first = beta1 * (firsts[i] as number) + (1 - beta1) * change;
    const second = beta2 * (seconds[i] as number) + (1 - beta2) * change * change;
    firsts[i] = first;
    seconds[i] = second;
    next[i] = (base[i] as number) + (rate * first) / (Math.sqrt(second) + tau);
  }
}
