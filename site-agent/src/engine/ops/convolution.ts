import type { Activation } from '../activation.js';
import { elementType, integers, text } from '../attributes.js';
import type { Parameter } from '../parameters.js';
import { DATA_TYPE } from '../runtime/tensorflow-binding.js';
import type { Tape } from '../tape.js';

const PLAIN = [
  elementType('T'),
  integers('strides', [1, 1, 1, 1, 1]),
  integers('dilations', [1, 1, 1, 1, 1]),
  text('padding', 'SAME'),
  text('data_format', 'NDHWC'),
];
const PLAIN_BACK = [...PLAIN, elementType('Tshape', DATA_TYPE.int32)];

/** Convolution with stride 1 and zero padding that keeps the sides (odd kernels); no bias. */
export function convolve(tape: Tape, input: Activation, filter: Parameter): Activation {
  const { runtime } = tape;
  const weight = filter.view();
  const output = runtime.runOne('Conv3D', PLAIN, [input.tensor, weight]);
  return tape.push(output, [input.tensor, weight], (gradient) => {
    const sizes = runtime.integers(weight.shape);
    filter.addGradient(runtime.runOne('Conv3DBackpropFilterV2', PLAIN, [input.tensor, sizes, gradient]));
    input.tensor.free(); // before the input gradient, which is as large, is made
    if (input.wantsGradient) {
      input.addGradient(runtime.runOne('Conv3DBackpropInputV2', PLAIN_BACK, [runtime.integers(input.shape), weight, gradient]));
    }
    weight.free();
    gradient.free();
  });
}
