/**
 * Momentum at the coordinator: Hsu, Qi and Brown, "Measuring the Effects of Non-Identical Data Distribution for Federated Visual
 * Classification", 2019, section 4: v ← β·v + Δ, x ← x + η·v with v = 0 before the first round. (The paper writes the delta as
 * base − trained and subtracts; ours is trained − base.)
 */
import type { RangeToAdvance } from '../recipe.js';

export function advanceByMomentum(range: RangeToAdvance, plan: { serverLearningRate: number; momentum: number }): void {
  const { base, delta, next } = range;
  const [velocities] = range.carried as readonly [Float32Array];
  const { serverLearningRate: rate, momentum } = plan;
  for (let i = 0; i < next.length; i++) {
    const velocity = momentum * (velocities[i] as number) + (delta[i] as number);
    velocities[i] = velocity;
    next[i] = (base[i] as number) + rate * velocity;
  }
}
