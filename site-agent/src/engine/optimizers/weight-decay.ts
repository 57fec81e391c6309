import { sumAndFree } from '../activation.js';
import { FLOAT } from '../attributes.js';
import type { Parameter } from '../parameters.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Tensor } from '../tensor.js';
import { assignScaled } from './in-place.js';
import type { Change } from './update-rule.js';

/** gradient + decay · weight: the gradient of a loss with an L2 penalty. Takes over the gradient; the caller owns the sum. */
export function penaliseGradient(runtime: Runtime, gradient: Tensor, parameter: Parameter, decay: Tensor): Tensor {
  const view = parameter.view();
  const pull = runtime.runOne('Mul', FLOAT, [view, decay]);
  view.free();
  return sumAndFree(runtime, gradient, pull);
}

/** weight ← weight · (1 − rate · decay), apart from the gradient (Loshchilov and Hutter, ICLR 2019). */
export function shrinkWeights(runtime: Runtime, { parameter, rate, weightDecay, scalars }: Change): void {
  if (weightDecay === 0) return;
  assignScaled(runtime, parameter.variable, scalars.of(1 - rate * weightDecay), parameter.variable);
}
