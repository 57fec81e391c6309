import type { Runtime } from '../runtime/runtime.js';
import type { Tensor } from '../tensor.js';
import { Variable } from '../variable.js';
import { assignScaled, subtractScaled } from './in-place.js';
import type { Change } from './update-rule.js';

/**
 * factor · gradient + decay · weight: the scaled gradient of a loss with an L2 penalty, in two passes. Only reads the
 * gradient; the caller owns the sum.
 */
export function penalisedGradient(runtime: Runtime, change: Change, factor: number): Tensor {
  const { parameter, gradient, weightDecay, scalars } = change;
  const sum = new Variable(runtime, parameter.variable.shape);
  try {
    assignScaled(runtime, sum, scalars.of(weightDecay), parameter.variable);
    subtractScaled(runtime, sum, scalars.of(-factor), gradient);
    return sum.view();
  } finally {
    sum.dispose(); // the view keeps the values
  }
}

/** weight ← weight · (1 − rate · decay), apart from the gradient (Loshchilov and Hutter, ICLR 2019). */
export function shrinkWeights(runtime: Runtime, { parameter, rate, weightDecay, scalars }: Change): void {
  if (weightDecay === 0) return;
  assignScaled(runtime, parameter.variable, scalars.of(1 - rate * weightDecay), parameter.variable);
}
