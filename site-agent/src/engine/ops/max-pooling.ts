import { invariant } from '@consilium/shared/kernel';
import type { Activation } from '../activation.js';
import { byType, elementType, flag, integers, NATIVE_KERNEL, text } from '../attributes.js';
import type { Tape } from '../tape.js';

const HALVING = byType((type) => [
  elementType('T', type),
  integers('ksize', [1, 2, 2, 2, 1]),
  integers('strides', [1, 2, 2, 2, 1]),
  text('padding', 'VALID'),
  text('data_format', 'NDHWC'),
]);
const HALVING_BACK = byType((type) => [...HALVING({ dataType: type }), elementType('TInput', type)]);
const NATIVE = byType((type) => [...HALVING({ dataType: type }), flag('workspace_enabled', true), NATIVE_KERNEL]);
const NATIVE_BACK = byType((type) => [...HALVING_BACK({ dataType: type }), flag('workspace_enabled', true), NATIVE_KERNEL]);

/**
 * Maximum over 2³ voxels, stride 2: halves each (even) side. Where voxels tie, the native kernel gives the gradient to one
 * of them, as PyTorch does; the public one gives it to all.
 */
export function maxPool(tape: Tape, input: Activation): Activation {
  return tape.runtime.native.maxPooling ? maxPoolNative(tape, input) : maxPoolPublic(tape, input);
}

function maxPoolNative(tape: Tape, input: Activation): Activation {
  const { runtime } = tape;
  const [output, places] = runtime.run('_MklNativeMaxPool3D', NATIVE(input), [input.tensor], 2);
  invariant(output && places, 'native pooling has two results');
  const held = input.hold();
  return tape.push(output, [held, places, ...(tape.recording ? [output.keep()] : [])], (gradient) => {
    const value = held.take();
    input.addGradient(runtime.runOne('_MklNativeMaxPool3DGrad', NATIVE_BACK(value), [value, output, gradient, places]));
    for (const tensor of [value, output, places, gradient]) tensor.free();
  });
}

function maxPoolPublic(tape: Tape, input: Activation): Activation {
  const { runtime } = tape;
  const output = runtime.runOne('MaxPool3D', HALVING(input), [input.tensor]);
  const held = input.hold();
  return tape.push(output, [held, ...(tape.recording ? [output.keep()] : [])], (gradient) => {
    const value = held.take();
    input.addGradient(runtime.runOne('MaxPool3DGrad', HALVING_BACK(value), [value, output, gradient]));
    for (const tensor of [value, output, gradient]) tensor.free();
  });
}
