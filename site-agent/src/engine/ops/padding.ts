import { byType, elementType } from '../attributes.js';
import { DATA_TYPE } from '../runtime/tensorflow-binding.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Tensor } from '../tensor.js';

const PAD = byType((type) => [elementType('T', type), elementType('Tpaddings', DATA_TYPE.int32)]);
const SLICE = byType((type) => [elementType('T', type), elementType('Index', DATA_TYPE.int32)]);

export type Sides = readonly [x: number, y: number, z: number];

/** A copy of [examples, x, y, z, channels] with as many zero voxels added before as behind, along x, y, z. */
export function padSides(runtime: Runtime, tensor: Tensor, [x, y, z]: Sides): Tensor {
  const amounts = runtime.integers([0, 0, x, x, y, y, z, z, 0, 0], [5, 2]);
  return runtime.runOne('Pad', PAD(tensor), [tensor, amounts]);
}

/** A copy of the `sides` voxels that begin at `start`: the gradient of padding. */
export function cropSides(runtime: Runtime, tensor: Tensor, start: Sides, sides: Sides): Tensor {
  const [examples, , , , channels] = tensor.shape as [number, number, number, number, number];
  const range = [runtime.integers([0, ...start, 0]), runtime.integers([examples, ...sides, channels])];
  return runtime.runOne('Slice', SLICE(tensor), [tensor, ...range]);
}
