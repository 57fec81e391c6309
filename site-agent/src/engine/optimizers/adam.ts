/**
 * Adam (Kingma and Ba, ICLR 2015) and, with weight decay apart from the gradient, AdamW (Loshchilov and Hutter, ICLR 2019),
 * with the bias corrections where the paper's algorithm and PyTorch have them:
 * w ← w − rate/(1−β1^t) · m / (√v/√(1−β2^t) + ε).
 */
import { elementType, flag } from '../attributes.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Variable } from '../variable.js';
import type { MomentSettings } from './optimizer.js';
import type { Change, UpdateRule } from './update-rule.js';
import { shrinkWeights } from './weight-decay.js';

const APPLY = [elementType('T'), flag('use_locking', false), flag('use_nesterov', false)];

/** The slots of {@link applyMoments}. */
export const MOMENTS: readonly string[] = ['first', 'second'];

/** Adam; its weight decay is an L2 penalty. */
export function adam(runtime: Runtime, settings: MomentSettings): UpdateRule {
  return {
    slotKinds: MOMENTS,
    decoupledDecay: false,
    update: (change) => applyMoments(runtime, settings, change, change.parameter.variable),
  };
}

/** Adam whose weight decay is decoupled. */
export function adamw(runtime: Runtime, settings: MomentSettings): UpdateRule {
  return {
    slotKinds: MOMENTS,
    decoupledDecay: true,
    update(change) {
      shrinkWeights(runtime, change);
      applyMoments(runtime, settings, change, change.parameter.variable);
    },
  };
}

/** Both moments take in the gradient; then variable ← variable − rate · m̂ / (√v̂ + ε), all in one pass. */
export function applyMoments(runtime: Runtime, settings: MomentSettings, change: Change, variable: Variable): void {
  const { parameter, gradient, rate, step, slots, scalars } = change;
  const moments = MOMENTS.map((kind) => slots.of(kind, parameter).variable.handle);
  const numbers = kernelNumbers(settings, step, rate).map((value) => scalars.of(value));
  runtime.run('ResourceApplyAdam', APPLY, [variable.handle, ...moments, ...numbers, gradient], 0);
}

/**
 * The kernel's scalars: β1^t, β2^t (0: the correction is in the rate already), rate, β1, β2, ε. The kernel adds its epsilon
 * before the correction, so it is given ε·√(1−β2^t). It takes β2 = 0.999 as the nearest 32-bit number, whose distance to 1
 * is off by 1.3 in 100,000; the corrections are for that same number, so that the error cancels in the step (not in v).
 */
function kernelNumbers(settings: MomentSettings, step: number, rate: number): number[] {
  const [beta1, beta2] = [Math.fround(settings.beta1), Math.fround(settings.beta2)];
  const secondCorrection = Math.sqrt(1 - beta2 ** step);
  return [0, 0, (rate * secondCorrection) / (1 - beta1 ** step), beta1, beta2, settings.epsilon * secondCorrection];
}
