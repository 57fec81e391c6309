/**
 * Adam (Kingma and Ba, ICLR 2015), with the bias corrections where the paper's algorithm and PyTorch have them:
 * w ← w − rate/(1−β1^t) · m / (√v/√(1−β2^t) + ε). TensorFlow's kernel adds its epsilon before the correction, so it is given
 * ε·√(1−β2^t), and the corrected rate is computed here in 64 bits.
 */
import { elementType, flag } from '../attributes.js';
import type { Parameter } from '../parameters.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Optimizer } from './optimizer.js';
import { Slots } from './slots.js';

const APPLY = [elementType('T'), flag('use_locking', false), flag('use_nesterov', false)];

interface AdamSettings {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

export function adam(runtime: Runtime, parameters: readonly Parameter[], settings: AdamSettings): Optimizer {
  const slots = new Slots(runtime, parameters, ['first', 'second']);
  return {
    apply(updated, rate) {
      slots.step += 1;
      const scalars = stepScalars(settings, slots.step, rate).map((value) => runtime.scalar(value));
      for (const parameter of updated) {
        const gradient = parameter.takeGradient();
        const moments = [slots.of('first', parameter).variable.handle, slots.of('second', parameter).variable.handle];
        runtime.run('ResourceApplyAdam', APPLY, [parameter.variable.handle, ...moments, ...scalars, gradient], 0);
        gradient.free();
      }
      for (const scalar of scalars) scalar.free();
    },
    readState: () => slots.read(),
    loadState: (state) => slots.load(state),
    dispose: () => slots.dispose(),
  };
}

/** The kernel's scalars: β1^t, β2^t (0: the correction is in the rate already), rate, β1, β2, ε. */
function stepScalars({ beta1, beta2, epsilon }: AdamSettings, step: number, rate: number): number[] {
  const secondCorrection = Math.sqrt(1 - beta2 ** step);
  return [0, 0, (rate * secondCorrection) / (1 - beta1 ** step), beta1, beta2, epsilon * secondCorrection];
}
