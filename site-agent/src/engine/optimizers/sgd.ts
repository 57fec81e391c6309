/**
 * Stochastic gradient descent with momentum in PyTorch's form: v ← momentum · v + g; w ← w − rate · v (Sutskever et al.,
 * ICML 2013, with the rate outside the velocity). No dampening, no Nesterov, no weight decay.
 */
import { elementType, flag } from '../attributes.js';
import type { Parameter } from '../parameters.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Optimizer } from './optimizer.js';
import { Slots } from './slots.js';

const APPLY = [elementType('T'), flag('use_locking', false), flag('use_nesterov', false)];

export function sgd(runtime: Runtime, parameters: readonly Parameter[], momentum: number): Optimizer {
  const slots = new Slots(runtime, parameters, ['velocity']);
  return {
    apply(updated, rate) {
      const scalars = [runtime.scalar(rate), runtime.scalar(momentum)] as const;
      for (const parameter of updated) {
        const gradient = parameter.takeGradient();
        const velocity = slots.of('velocity', parameter).variable.handle;
        const inputs = [parameter.variable.handle, velocity, scalars[0], gradient, scalars[1]];
        runtime.run('ResourceApplyMomentum', APPLY, inputs, 0);
        gradient.free();
      }
      for (const scalar of scalars) scalar.free();
      slots.step += 1;
    },
    readState: () => slots.read(),
    loadState: (state) => slots.load(state),
    dispose: () => slots.dispose(),
  };
}
