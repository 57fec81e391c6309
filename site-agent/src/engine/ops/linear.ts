import type { Activation } from '../activation.js';
import { byType, elementType, flag } from '../attributes.js';
import type { Parameter } from '../parameters.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Tape } from '../tape.js';
import type { Tensor } from '../tensor.js';

const TIMES = product(false, false);
const TIMES_TRANSPOSED = product(false, true);
const TRANSPOSED_TIMES = product(true, false);

/** [examples, in] → [examples, out] = input · weightᵀ, the weight as PyTorch has it, [out, in]. No bias: add one with `addBias`. */
export function linear(tape: Tape, input: Activation, weight: Parameter): Activation {
  const { runtime } = tape;
  const factor = weight.view(input.dataType);
  const output = TIMES_TRANSPOSED(runtime, input.tensor, factor);
  const held = input.hold();
  return tape.push(output, [held, factor], (gradient) => {
    const value = held.take();
    weight.addGradient(TRANSPOSED_TIMES(runtime, gradient, value));
    value.free();
    if (input.wantsGradient) input.addGradient(TIMES(runtime, gradient, factor));
    factor.free();
    gradient.free();
  });
}

/** The matrix product, as a function of its two factors. */
function product(first: boolean, second: boolean): (runtime: Runtime, left: Tensor, right: Tensor) => Tensor {
  const attributes = byType((type) => [elementType('T', type), flag('transpose_a', first), flag('transpose_b', second)]);
  return (runtime, left, right) => runtime.runOne('MatMul', attributes(left), [left, right]);
}
