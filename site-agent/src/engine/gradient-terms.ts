import type { WeightSet } from '@consilium/shared/weights';
import { FLOAT } from './attributes.js';
import { toEngineLayout } from './kernel-layout.js';
import type { Parameter } from './parameters.js';
import type { Runtime } from './runtime/runtime.js';
import type { Tensor } from './tensor.js';

/** A part of the gradients that does not come from a batch. Its tensors stay inside TensorFlow until it is disposed. */
export interface GradientTerm {
  /** Adds its part to the gradients that the parameters hold: the whole step's, before they are clipped. */
  addTo(parameters: readonly Parameter[]): void;
  dispose(): void;
}

/** factor · (w − origin), the gradient of factor/2 · ‖w − origin‖². Parameters without an origin are left alone. */
export function pullTerm(runtime: Runtime, parameters: readonly Parameter[], origin: WeightSet, factor: number): GradientTerm {
  const origins = hold(runtime, parameters, origin);
  return {
    addTo(given) {
      const scale = runtime.scalar(factor);
      for (const parameter of given) {
        const held = origins.get(parameter);
        if (held === undefined) continue;
        const weights = parameter.view();
        const distance = runtime.runOne('Sub', FLOAT, [weights, held]);
        weights.free();
        parameter.addGradient(runtime.runOne('Mul', FLOAT, [distance, scale]));
        distance.free();
      }
      scale.free();
    },
    dispose: () => free(origins),
  };
}

/** The same summands at each step. Parameters without one are left alone. */
export function constantTerm(runtime: Runtime, parameters: readonly Parameter[], summands: WeightSet): GradientTerm {
  const held = hold(runtime, parameters, summands);
  return {
    addTo(given) {
      for (const parameter of given) {
        const summand = held.get(parameter);
        if (summand !== undefined) parameter.addGradient(summand.keep());
      }
    },
    dispose: () => free(held),
  };
}

/** In TensorFlow's layout, by parameter; the arrays given are copied. */
function hold(runtime: Runtime, parameters: readonly Parameter[], weights: WeightSet): Map<Parameter, Tensor> {
  const byName = new Map(weights.map(({ name, values }) => [name, values]));
  const held = new Map<Parameter, Tensor>();
  for (const parameter of parameters) {
    const values = byName.get(parameter.name);
    if (values === undefined) continue;
    held.set(parameter, runtime.tensor(toEngineLayout(values, parameter.shape), parameter.variable.shape));
  }
  return held;
}

function free(held: Map<Parameter, Tensor>): void {
  for (const tensor of held.values()) tensor.free();
  held.clear();
}
