/**
 * Moving average of the weights (Polyak and Juditsky, 1992; exponential as in PyTorch's AveragedModel with
 * get_ema_multi_avg_fn): after the first update it equals the weights, then a ← a − (1 − decay) · (a − w) after each.
 */
import type { WeightSet } from '@consilium/shared/weights';
import { FLOAT } from '../attributes.js';
import type { Parameter } from '../parameters.js';
import type { Runtime } from '../runtime/runtime.js';
import { assignSame, subtractScaled } from './in-place.js';
import type { Slots } from './slots.js';
import type { StepScalars } from './step-scalars.js';

/** The slot that holds the average. */
export const AVERAGE = 'average';

/** Lets the average of one parameter follow its new value. */
export function followWeights(runtime: Runtime, parameter: Parameter, decay: number, slots: Slots, scalars: StepScalars): void {
  const { variable } = slots.of(AVERAGE, parameter);
  if (slots.step === 1) {
    assignSame(runtime, variable, parameter.variable);
    return;
  }
  const [average, weights] = [variable.view(), parameter.view()];
  const distance = runtime.runOne('Sub', FLOAT, [average, weights]);
  average.free();
  weights.free();
  subtractScaled(runtime, variable, scalars.of(1 - decay), distance);
  distance.free();
}

/** The averages under the parameters' names. */
export function readAverages(parameters: Iterable<Parameter>, slots: Slots): WeightSet {
  return Array.from(parameters, (parameter) => ({
    name: parameter.name,
    shape: parameter.shape,
    values: slots.of(AVERAGE, parameter).read(),
  }));
}
