/** Transposed three-dimensional convolution without bias, in PyTorch's conventions. */
import { invariant } from '@consilium/shared/kernel';
import type { Activation } from '../activation.js';
import type { Parameter } from '../parameters.js';
import type { Runtime } from '../runtime/runtime.js';
import { DATA_TYPE } from '../runtime/tensorflow-binding.js';
import type { Tape } from '../tape.js';
import type { Tensor } from '../tensor.js';
import { cast } from './cast.js';
import { convolutionGeometry, perAxis, type PerAxis } from './convolution-geometry.js';
import { cropSides, padSides, type Sides } from './padding.js';

export interface TransposedConvolutionOptions {
  /** As the kernel by default: every output voxel comes from one input voxel. */
  readonly stride?: PerAxis;
  /** Voxels that are cut off on both sides of each axis. */
  readonly padding?: PerAxis;
  /** Voxels that are added behind each axis; fewer than the stride. */
  readonly outputPadding?: PerAxis;
}

/**
 * [examples, x, y, z, in] → [examples, x', y', z', out] by a filter [in, out, …kernel]; output side per axis:
 * (side − 1) · stride − 2 · padding + kernel + outputPadding. It is the input gradient of the strided convolution that leads
 * back, so its own input gradient is that convolution, and its filter gradient has input and output exchanged.
 */
export function convolveTransposed(
  tape: Tape,
  input: Activation,
  filter: Parameter,
  options: TransposedConvolutionOptions = {},
): Activation {
  const { runtime } = tape;
  const { dataType } = input;
  const kernel = filter.shape.slice(2) as unknown as Sides;
  const stride = options.stride ?? kernel;
  const padding = options.padding ?? 0;
  const sides = outputSides(input.shape, kernel, { stride, padding, outputPadding: options.outputPadding ?? 0 });
  const shape = [input.shape[0] as number, ...sides, filter.shape[1] as number];
  const geometry = convolutionGeometry(shape, kernel, { stride, padding });
  if (geometry.needs32Bits && dataType === DATA_TYPE.bfloat16) {
    const exact = convolveTransposed(tape, cast(tape, input, DATA_TYPE.float32), filter, options);
    return cast(tape, exact, dataType);
  }
  const weight = filter.view(dataType);
  const sizes = runtime.integers(paddedShape(shape, geometry.padding));
  const whole = runtime.runOne('Conv3DBackpropInputV2', geometry.backward(dataType), [sizes, weight, input.tensor]);
  const output = crop(runtime, whole, geometry.padding, sides);
  const held = input.hold();
  return tape.push(output, [held, weight], (gradient) => {
    const slope = pad(runtime, gradient, geometry.padding);
    const value = held.take();
    const attributes = geometry.forward(dataType);
    filter.addGradient(runtime.runOne('Conv3DBackpropFilterV2', attributes, [slope, runtime.integers(weight.shape), value]));
    value.free();
    if (input.wantsGradient) input.addGradient(runtime.runOne('Conv3D', attributes, [slope, weight]));
    slope.free();
    weight.free();
  });
}

function outputSides(input: readonly number[], kernel: Sides, options: Required<TransposedConvolutionOptions>): Sides {
  const [stride, padding, behind] = [perAxis(options.stride), perAxis(options.padding), perAxis(options.outputPadding)];
  invariant(
    behind.every((amount, axis) => amount < (stride[axis] as number)),
    'fewer voxels are added behind than the stride',
  );
  return kernel.map((side, axis) => {
    const spread = ((input[axis + 1] as number) - 1) * (stride[axis] as number);
    return spread - 2 * (padding[axis] as number) + side + (behind[axis] as number);
  }) as unknown as Sides;
}

function paddedShape(shape: readonly number[], padding: Sides | undefined): readonly number[] {
  if (padding === undefined) return shape;
  return shape.map((side, axis) => side + 2 * (padding[axis - 1] ?? 0));
}

/** Takes over the tensor. */
function crop(runtime: Runtime, tensor: Tensor, padding: Sides | undefined, sides: Sides): Tensor {
  if (padding === undefined) return tensor;
  const cropped = cropSides(runtime, tensor, padding, sides);
  tensor.free();
  return cropped;
}

/** Takes over the tensor. */
function pad(runtime: Runtime, tensor: Tensor, padding: Sides | undefined): Tensor {
  if (padding === undefined) return tensor;
  const padded = padSides(runtime, tensor, padding);
  tensor.free();
  return padded;
}
