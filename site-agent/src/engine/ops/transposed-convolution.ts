import { invariant } from '@consilium/shared/kernel';
import type { Activation } from '../activation.js';
import { byType, elementType, integers, text } from '../attributes.js';
import type { Parameter } from '../parameters.js';
import { DATA_TYPE } from '../runtime/tensorflow-binding.js';
import type { Tape } from '../tape.js';

const DOUBLING = byType((type) => [
  elementType('T', type),
  integers('strides', [1, 2, 2, 2, 1]),
  integers('dilations', [1, 1, 1, 1, 1]),
  text('padding', 'VALID'),
  text('data_format', 'NDHWC'),
]);
const DOUBLING_BACK = byType((type) => [...DOUBLING({ dataType: type }), elementType('Tshape', DATA_TYPE.int32)]);

/**
 * Transposed convolution, kernel 2³ and stride 2: doubles each side. It is the input gradient of a strided convolution, so
 * its own input gradient is that convolution, and its weight gradient has input and output exchanged. No bias.
 */
export function convolveTransposed(tape: Tape, input: Activation, filter: Parameter): Activation {
  const { runtime } = tape;
  const weight = filter.view(input.dataType);
  const outputSizes = runtime.integers(doubledShape(input.shape, weight.shape));
  const output = runtime.runOne('Conv3DBackpropInputV2', DOUBLING_BACK(weight), [outputSizes, weight, input.tensor]);
  const held = input.hold();
  return tape.push(output, [held, weight], (gradient) => {
    const sizes = runtime.integers(weight.shape);
    const value = held.take();
    filter.addGradient(runtime.runOne('Conv3DBackpropFilterV2', DOUBLING(weight), [gradient, sizes, value]));
    value.free();
    if (input.wantsGradient) input.addGradient(runtime.runOne('Conv3D', DOUBLING(weight), [gradient, weight]));
    weight.free();
    gradient.free();
  });
}

function doubledShape(input: readonly number[], weight: readonly number[]): number[] {
  const [examples, x, y, z] = input;
  const channels = weight[3];
  invariant(examples !== undefined && x !== undefined && y !== undefined && z !== undefined, 'an activation has five sides');
  invariant(channels !== undefined, 'a transposed kernel has five sides');
  return [examples, 2 * x, 2 * y, 2 * z, channels];
}
