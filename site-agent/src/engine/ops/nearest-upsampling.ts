import type { Activation } from '../activation.js';
import { invariant } from '@consilium/shared/kernel';
import type { Runtime } from '../runtime/runtime.js';
import type { Tape } from '../tape.js';
import type { Tensor } from '../tensor.js';
import { joinTensors } from './concatenation.js';
import { perAxis, type PerAxis } from './convolution-geometry.js';
import { poolingGeometry } from './pooling-window.js';
import { reshapeAndFree } from './reshape.js';
import { scaleAndFree } from './scale-tensor.js';

/** Repeats every voxel along each axis, twice by default; its gradient is the sum over the copies. */
export function upsampleNearest(tape: Tape, input: Activation, factors: PerAxis = 2): Activation {
  const { runtime } = tape;
  const [byX, byY, byZ] = perAxis(factors);
  invariant(
    [byX, byY, byZ].every((factor) => Number.isInteger(factor) && factor > 0),
    'voxels are repeated a whole number of times',
  );
  const [examples, x, y, z, channels] = input.shape as [number, number, number, number, number];
  const alongZ = repeatRows(runtime, input.tensor, [examples * x * y * z, channels], byZ);
  const alongYZ = repeatRows(runtime, alongZ, [examples * x * y, byZ * z * channels], byY);
  const flat = repeatRows(runtime, alongYZ, [examples * x, byY * y * byZ * z * channels], byX);
  const output = reshapeAndFree(runtime, flat, [examples, byX * x, byY * y, byZ * z, channels]);
  return tape.push(output, [], (gradient) => {
    if (input.wantsGradient) input.addGradient(sumOfCopies(runtime, gradient, [byX, byY, byZ]));
    gradient.free();
  });
}

/** [rows, length] → each row several times in succession; takes over the tensor. */
function repeatRows(runtime: Runtime, tensor: Tensor, shape: readonly [number, number], times: number): Tensor {
  if (times === 1) return tensor;
  const rows = reshapeAndFree(runtime, tensor, shape);
  const repeated = joinTensors(runtime, new Array<Tensor>(times).fill(rows), 1);
  rows.free();
  return repeated;
}

function sumOfCopies(runtime: Runtime, gradient: Tensor, kernel: readonly [number, number, number]): Tensor {
  const { attributes, voxels } = poolingGeometry(gradient.shape, { kernel });
  const mean = runtime.runOne('AvgPool3D', attributes(gradient.dataType), [gradient]);
  return scaleAndFree(runtime, mean, voxels);
}
