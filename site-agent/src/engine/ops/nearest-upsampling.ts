import type { Activation } from '../activation.js';
import { byType, elementType, integers, SAME_TYPE, text } from '../attributes.js';
import { castTensor } from '../cast-tensor.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Tape } from '../tape.js';
import type { Tensor } from '../tensor.js';
import { joinTensors } from './concatenation.js';
import { reshape } from './reshape.js';

const MEAN_OF_EIGHT = byType((type) => [
  elementType('T', type),
  integers('ksize', [1, 2, 2, 2, 1]),
  integers('strides', [1, 2, 2, 2, 1]),
  text('padding', 'VALID'),
  text('data_format', 'NDHWC'),
]);

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
  const mean = runtime.runOne('AvgPool3D', MEAN_OF_EIGHT(gradient), [gradient]);
  const exactEight = runtime.scalar(8);
  const eight = castTensor(runtime, exactEight, gradient.dataType);
  exactEight.free();
  const sum = runtime.runOne('Mul', SAME_TYPE(mean), [mean, eight]);
  mean.free();
  eight.free();
  return sum;
}
