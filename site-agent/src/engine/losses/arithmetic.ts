import { FLOAT } from '../attributes.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Tensor } from '../tensor.js';

export function elements(tensor: Tensor): number {
  return tensor.shape.reduce((product, side) => product * side, 1);
}

/** factor · tensor; frees the tensor. */
export function scaleAndFree(runtime: Runtime, tensor: Tensor, factor: number): Tensor {
  const scalar = runtime.scalar(factor);
  const scaled = runtime.runOne('Mul', FLOAT, [tensor, scalar]);
  tensor.free();
  scalar.free();
  return scaled;
}
