import { invariant } from '@consilium/shared/kernel';
import type { Activation } from '../activation.js';
import { elementType, flag, integers, NATIVE_KERNEL, text } from '../attributes.js';
import type { Tape } from '../tape.js';

const HALVING = [
  elementType('T'),
  integers('ksize', [1, 2, 2, 2, 1]),
  integers('strides', [1, 2, 2, 2, 1]),
  text('padding', 'VALID'),
  text('data_format', 'NDHWC'),
];
const HALVING_BACK = [...HALVING, elementType('TInput')];
const NATIVE = [...HALVING, flag('workspace_enabled', true), NATIVE_KERNEL];
const NATIVE_BACK = [...HALVING_BACK, flag('workspace_enabled', true), NATIVE_KERNEL];

/**
 * Maximum over 2³ voxels, stride 2: halves each (even) side. Where voxels tie, the native kernel gives the gradient to one
 * of them, as PyTorch does; the public one gives it to all.
 */
export function maxPool(tape: Tape, input: Activation): Activation {
  return tape.runtime.native.maxPooling ? maxPoolNative(tape, input) : maxPoolPublic(tape, input);
}

function maxPoolNative(tape: Tape, input: Activation): Activation {
  const { runtime } = tape;
  const [output, places] = runtime.run('_MklNativeMaxPool3D', NATIVE, [input.tensor], 2);
  invariant(output && places, 'native pooling has two results');
  return tape.push(output, [input.tensor, places, ...(tape.recording ? [output.keep()] : [])], (gradient) => {
    input.addGradient(runtime.runOne('_MklNativeMaxPool3DGrad', NATIVE_BACK, [input.tensor, output, gradient, places]));
    for (const tensor of [input.tensor, output, places, gradient]) tensor.free();
  });
}

function maxPoolPublic(tape: Tape, input: Activation): Activation {
  const { runtime } = tape;
  const output = runtime.runOne('MaxPool3D', HALVING, [input.tensor]);
  return tape.push(output, [input.tensor, ...(tape.recording ? [output.keep()] : [])], (gradient) => {
    input.addGradient(runtime.runOne('MaxPool3DGrad', HALVING_BACK, [input.tensor, output, gradient]));
    for (const tensor of [input.tensor, output, gradient]) tensor.free();
  });
}
