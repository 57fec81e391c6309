import type { Activation } from '../activation.js';
import { elementType, FLOAT, integers, text } from '../attributes.js';
import type { Runtime } from '../runtime/runtime.js';
import { DATA_TYPE } from '../runtime/tensorflow-binding.js';
import type { Tape } from '../tape.js';
import type { Tensor } from '../tensor.js';
import { joinTensors } from './concatenation.js';

const RESHAPE = [elementType('T'), elementType('Tshape', DATA_TYPE.int32)];
const MEAN_OF_EIGHT = [
  elementType('T'),
  integers('ksize', [1, 2, 2, 2, 1]),
  integers('strides', [1, 2, 2, 2, 1]),
  text('padding', 'VALID'),
  text('data_format', 'NDHWC'),
];

/** Repeats every voxel twice along each side; its gradient is the sum over the eight copies. */
export function upsampleNearest(tape: Tape, input: Activation): Activation {
  const { runtime } = tape;
  const [examples, x, y, z, channels] = input.shape as [number, number, number, number, number];
  const alongZ = repeatPairs(runtime, input.tensor, [examples * x * y * z, channels]);
  input.tensor.free();
  const alongYZ = repeatPairs(runtime, alongZ, [examples * x * y, 2 * z * channels]);
  alongZ.free();
  const flat = repeatPairs(runtime, alongYZ, [examples * x, 4 * y * z * channels]);
  alongYZ.free();
  const output = reshape(runtime, flat, [examples, 2 * x, 2 * y, 2 * z, channels]);
  flat.free();
  return tape.push(output, [], (gradient) => {
    if (input.wantsGradient) input.addGradient(sumOfEight(runtime, gradient));
    gradient.free();
  });
}

/** [rows, length] → each row twice in succession. */
function repeatPairs(runtime: Runtime, tensor: Tensor, shape: readonly [number, number]): Tensor {
  const rows = reshape(runtime, tensor, shape);
  const repeated = joinTensors(runtime, [rows, rows], 1);
  rows.free();
  return repeated;
}

function sumOfEight(runtime: Runtime, gradient: Tensor): Tensor {
  const mean = runtime.runOne('AvgPool3D', MEAN_OF_EIGHT, [gradient]);
  const eight = runtime.scalar(8);
  const sum = runtime.runOne('Mul', FLOAT, [mean, eight]);
  mean.free();
  eight.free();
  return sum;
}

function reshape(runtime: Runtime, tensor: Tensor, shape: readonly number[]): Tensor {
  return runtime.runOne('Reshape', RESHAPE, [tensor, runtime.integers(shape)]);
}
