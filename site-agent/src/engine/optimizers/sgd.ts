/**
 * Stochastic gradient descent with momentum in PyTorch's form: v ← momentum · v + g; w ← w − rate · v (Sutskever et al.,
 * ICML 2013, with the rate outside the velocity), or with Nesterov's look ahead w ← w − rate · (g + momentum · v), which is
 * what TensorFlow's kernel computes too. No dampening. Without momentum nothing is kept beside the weights.
 */
import { elementType, flag } from '../attributes.js';
import type { Runtime } from '../runtime/runtime.js';
import { subtractScaled } from './in-place.js';
import type { UpdateRule } from './update-rule.js';

export function sgd(runtime: Runtime, settings: { readonly momentum: number; readonly nesterov?: boolean }): UpdateRule {
  return settings.momentum === 0
    ? plainDescent(runtime)
    : momentumDescent(runtime, settings.momentum, settings.nesterov ?? false);
}

function plainDescent(runtime: Runtime): UpdateRule {
  return {
    slotKinds: [],
    decoupledDecay: false,
    update({ parameter, gradient, rate, scalars }) {
      subtractScaled(runtime, parameter.variable, scalars.of(rate), gradient);
    },
  };
}

function momentumDescent(runtime: Runtime, momentum: number, nesterov: boolean): UpdateRule {
  const attributes = [elementType('T'), flag('use_locking', false), flag('use_nesterov', nesterov)];
  return {
    slotKinds: ['velocity'],
    decoupledDecay: false,
    update({ parameter, gradient, rate, slots, scalars }) {
      const variables = [parameter.variable.handle, slots.of('velocity', parameter).variable.handle];
      runtime.run('ResourceApplyMomentum', attributes, [...variables, scalars.of(rate), gradient, scalars.of(momentum)], 0);
    },
  };
}
