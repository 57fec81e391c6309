import type { Activation } from '../activation.js';
import { elementType, real, SAME_TYPE } from '../attributes.js';
import type { Runtime } from '../runtime/runtime.js';
import type { OperationAttribute } from '../runtime/tensorflow-binding.js';
import type { Tape } from '../tape.js';
import type { Tensor } from '../tensor.js';

/** ReLU: max(0, x). Its output is all that the gradient needs; at 0 it is 0. */
export function rectify(tape: Tape, input: Activation): Activation {
  return rectifyBy(tape, input, 0);
}

/** Leaky ReLU (Maas et al., ICML 2013): x, or `slope` · x below 0. PyTorch's default slope is 0.01; it must not be negative. */
export function leakyRectify(tape: Tape, input: Activation, slope = 0.01): Activation {
  return rectifyBy(tape, input, slope);
}

function rectifyBy(tape: Tape, input: Activation, slope: number): Activation {
  const { runtime } = tape;
  const output = rectified(runtime, input.tensor, slope);
  input.tensor.free();
  const held = tape.recording ? [output.keep()] : [];
  return tape.push(output, held, (gradient) => {
    if (input.wantsGradient) input.addGradient(rectifiedGradient(runtime, gradient, output, slope));
    gradient.free();
    output.free();
  });
}

/** The leaky ReLU of a tensor, as a new one. */
export function rectified(runtime: Runtime, tensor: Tensor, slope: number): Tensor {
  if (slope === 0) return runtime.runOne('Relu', SAME_TYPE(tensor), [tensor]);
  return runtime.runOne('LeakyRelu', leaky(tensor, slope), [tensor]);
}

/** From the gradient of the output, and the output, which has the sign of the input. */
export function rectifiedGradient(runtime: Runtime, gradient: Tensor, output: Tensor, slope: number): Tensor {
  if (slope === 0) return runtime.runOne('ReluGrad', SAME_TYPE(gradient), [gradient, output]);
  return runtime.runOne('LeakyReluGrad', leaky(gradient, slope), [gradient, output]);
}

function leaky({ dataType }: Tensor, slope: number): OperationAttribute[] {
  return [elementType('T', dataType), real('alpha', slope)];
}
