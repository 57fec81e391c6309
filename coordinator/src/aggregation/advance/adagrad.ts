/**
 * FedAdagrad's step: Reddi, Charles, Zaheer, Garrett, Rush, Konečný, Kumar and McMahan, "Adaptive Federated Optimization",
 * ICLR 2021, algorithm 2 with β₁ = 0: v ← v + Δ², x ← x + η·Δ / (√v + τ).
 */
import type { RangeToAdvance } from '../recipe.js';

export function advanceByAdagrad(range: RangeToAdvance, plan: { serverLearningRate: number; tau: number }): void {
  const { base, delta, next } = range;
  const [seconds] = range.carried as readonly [Float32Array];
  const { serverLearningRate: rate, tau } = plan;
  for (let i = 0; i < next.length; i++) {
    const change = delta[i] as number;
    const second = (seconds[i] as number) + change * change;
    seconds[i] = second;
    next[i] = (base[i] as number) + (rate * change) / (Math.sqrt(second) + tau);
  }
}
