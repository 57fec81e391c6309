/**
 * Batch normalisation (Ioffe and Szegedy, ICML 2015) followed by ReLU, always with the statistics of the given tensor. For
 * one example this is instance normalisation (Ulyanov et al., arXiv 1607.08022): networks with instance norm are run example
 * by example, which also divides their peak memory by the batch size.
 */
import { invariant } from '@consilium/shared/kernel';
import type { Activation } from '../activation.js';
import { elementType, flag, FLOAT, integers, NATIVE_KERNEL, real, text } from '../attributes.js';
import type { Parameter } from '../parameters.js';
import { DATA_TYPE } from '../runtime/tensorflow-binding.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Tape } from '../tape.js';
import type { Tensor } from '../tensor.js';

/** PyTorch's default for batch and instance norm. */
const EPSILON = 1e-5;

const STATISTICS = [
  elementType('T'),
  elementType('U'),
  real('epsilon', EPSILON),
  text('data_format', 'NHWC'),
  flag('is_training', true),
];
const FORWARD = [...STATISTICS, real('exponential_avg_factor', 1)];
const FORWARD_RECTIFIED = [...FORWARD, integers('num_side_inputs', 0), text('activation_mode', 'Relu'), NATIVE_KERNEL];
const RESHAPE = [elementType('T'), elementType('Tshape', DATA_TYPE.int32)];

/** ReLU(scale · (x − mean) / √(variance + 1e-5) + offset), statistics per channel over all examples and voxels. */
export function normaliseRectify(tape: Tape, input: Activation, scale: Parameter, offset: Parameter): Activation {
  const { runtime } = tape;
  const flat = runtime.runOne('Reshape', RESHAPE, [input.tensor, runtime.integers(flatShape(input.shape))]);
  input.tensor.free(); // the flat view holds the same memory
  const scaleValue = scale.view();
  const { rectified, statistics } = forward(runtime, flat, scaleValue, offset);
  const output = runtime.runOne('Reshape', RESHAPE, [rectified, runtime.integers(input.shape)]);
  return tape.push(output, [flat, scaleValue, rectified, ...statistics], (gradient) => {
    const flatGradient = reshapeAndFree(runtime, gradient, flat.shape);
    const masked = runtime.runOne('ReluGrad', FLOAT, [flatGradient, rectified]);
    flatGradient.free();
    rectified.free();
    const [inputGradient, scaleGradient, offsetGradient, ...empty] = runtime.run(
      'FusedBatchNormGradV3',
      STATISTICS,
      [masked, flat, scaleValue, ...statistics],
      5,
    );
    for (const tensor of [masked, flat, scaleValue, ...statistics, ...empty]) tensor.free();
    invariant(inputGradient && scaleGradient && offsetGradient, 'the gradient of a norm has three parts');
    scale.addGradient(scaleGradient);
    offset.addGradient(offsetGradient);
    if (input.wantsGradient) input.addGradient(reshapeAndFree(runtime, inputGradient, input.shape));
    else inputGradient.free();
  });
}

/** Both paths leave three tensors for the gradient: saved mean, saved variance, and a reserved one. */
function forward(runtime: Runtime, flat: Tensor, scale: Tensor, offset: Parameter): { rectified: Tensor; statistics: Tensor[] } {
  const shift = offset.view();
  const inputs = [flat, scale, shift, runtime.nothing(), runtime.nothing()];
  const native = runtime.native.normaliseRectify;
  const results = native
    ? runtime.run('_MklNativeFusedBatchNormEx', FORWARD_RECTIFIED, inputs, 6)
    : runtime.run('FusedBatchNormV3', FORWARD, inputs, 6);
  shift.free();
  const [normalised, mean, variance, ...statistics] = results;
  invariant(normalised && mean && variance, 'a norm has six results');
  mean.free();
  variance.free();
  if (native) return { rectified: normalised, statistics };
  const rectified = runtime.runOne('Relu', FLOAT, [normalised]);
  normalised.free();
  return { rectified, statistics };
}

/** [examples, x, y, z, channels] → [1, examples·x·y, z, channels]: the operation wants four sides and treats all but the last alike. */
function flatShape(shape: readonly number[]): number[] {
  const [examples, x, y, z, channels] = shape as [number, number, number, number, number];
  return [1, examples * x * y, z, channels];
}

function reshapeAndFree(runtime: Runtime, tensor: Tensor, shape: readonly number[]): Tensor {
  const reshaped = runtime.runOne('Reshape', RESHAPE, [tensor, runtime.integers(shape)]);
  tensor.free();
  return reshaped;
}
