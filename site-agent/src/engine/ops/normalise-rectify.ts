/**
 * Batch normalisation (Ioffe and Szegedy, ICML 2015) or instance normalisation (Ulyanov et al., arXiv 1607.08022), followed by
 * ReLU; always with the statistics of the given tensor, never with running ones.
 */
import { invariant } from '@consilium/shared/kernel';
import type { Activation } from '../activation.js';
import { elementType, flag, FLOAT, integers, NATIVE_KERNEL, real, text } from '../attributes.js';
import type { Parameter } from '../parameters.js';
import { DATA_TYPE } from '../runtime/tensorflow-binding.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Tape } from '../tape.js';
import type { Tensor } from '../tensor.js';
import { joinTensors, splitTensor } from './concatenation.js';

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
const ROW_AXIS = 1;
const RESHAPE = [elementType('T'), elementType('Tshape', DATA_TYPE.int32)];

/**
 * ReLU(scale · (x − mean) / √(variance + 1e-5) + offset), statistics per channel over all voxels of all examples (batch norm),
 * or of each example by itself (instance norm).
 */
export function normaliseRectify(
  tape: Tape,
  input: Activation,
  scale: Parameter,
  offset: Parameter,
  statisticsOver: 'batch' | 'instance',
): Activation {
  const { runtime } = tape;
  const scaleValue = scale.view();
  const { rows, groups } = takeGroups(runtime, input, statisticsOver);
  const passes = groups.map((group) => forward(runtime, group, scaleValue, offset));
  const rectified = joinAndFree(
    runtime,
    passes.map((pass) => pass.rectified),
  );
  const output = runtime.runOne('Reshape', RESHAPE, [rectified, runtime.integers(input.shape)]);
  const held = [scaleValue, rectified, ...groups, ...passes.flatMap((pass) => pass.statistics)];
  return tape.push(output, held, (gradient) => {
    const flat = reshapeAndFree(runtime, gradient, rectified.shape);
    const masked = runtime.runOne('ReluGrad', FLOAT, [flat, rectified]);
    flat.free();
    rectified.free();
    const slopes = splitAndFree(runtime, masked, rows);
    const inputGradients = groups.map((group, i) => {
      const [slope, pass] = [slopes[i], passes[i]];
      invariant(slope && pass, 'each group has a gradient and its statistics');
      return backward(runtime, { group, slope, scaleValue, statistics: pass.statistics }, scale, offset);
    });
    scaleValue.free();
    const whole = joinAndFree(runtime, inputGradients);
    if (input.wantsGradient) input.addGradient(reshapeAndFree(runtime, whole, input.shape));
    else whole.free();
  });
}

/**
 * The input, taken over, as tensors [1, rows, z, channels] that share its memory: the operation wants four sides, treats all
 * but the last alike, and takes its statistics over one such group.
 */
function takeGroups(
  runtime: Runtime,
  input: Activation,
  statisticsOver: 'batch' | 'instance',
): { rows: number[]; groups: Tensor[] } {
  const [examples, x, y, z, channels] = input.shape as [number, number, number, number, number];
  const flat = reshapeAndFree(runtime, input.tensor, [1, examples * x * y, z, channels]);
  const rows = statisticsOver === 'batch' ? [examples * x * y] : new Array<number>(examples).fill(x * y);
  return { rows, groups: splitAndFree(runtime, flat, rows) };
}

interface GroupPass {
  readonly group: Tensor;
  readonly slope: Tensor;
  readonly scaleValue: Tensor;
  readonly statistics: readonly Tensor[];
}

/** The gradient of one group's input; frees the group, its slope and its statistics. */
function backward(runtime: Runtime, pass: GroupPass, scale: Parameter, offset: Parameter): Tensor {
  const { group, slope, scaleValue, statistics } = pass;
  const inputs = [slope, group, scaleValue, ...statistics];
  const [inputGradient, scaleGradient, offsetGradient, ...empty] = runtime.run('FusedBatchNormGradV3', STATISTICS, inputs, 5);
  for (const tensor of [slope, group, ...statistics, ...empty]) tensor.free();
  invariant(inputGradient && scaleGradient && offsetGradient, 'the gradient of a norm has three parts');
  scale.addGradient(scaleGradient);
  offset.addGradient(offsetGradient);
  return inputGradient;
}

function splitAndFree(runtime: Runtime, whole: Tensor, rows: readonly number[]): Tensor[] {
  if (rows.length === 1) return [whole];
  const parts = splitTensor(runtime, whole, rows, ROW_AXIS);
  whole.free();
  return parts;
}

function joinAndFree(runtime: Runtime, parts: readonly Tensor[]): Tensor {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only;
  const whole = joinTensors(runtime, parts, ROW_AXIS);
  for (const part of parts) part.free();
  return whole;
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

function reshapeAndFree(runtime: Runtime, tensor: Tensor, shape: readonly number[]): Tensor {
  const reshaped = runtime.runOne('Reshape', RESHAPE, [tensor, runtime.integers(shape)]);
  tensor.free();
  return reshaped;
}
