import { SAME_TYPE } from '../attributes.js';
import { castTensor } from '../cast-tensor.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Tensor } from '../tensor.js';

/** tensor · factor, as a new tensor; the factor is rounded to the tensor's type. */
export function scaleTensor(runtime: Runtime, tensor: Tensor, factor: number): Tensor {
  const exact = runtime.scalar(factor);
  const rounded = castTensor(runtime, exact, tensor.dataType);
  exact.free();
  const scaled = runtime.runOne('Mul', SAME_TYPE(tensor), [tensor, rounded]);
  rounded.free();
  return scaled;
}

/** As {@link scaleTensor}; frees the tensor. */
export function scaleAndFree(runtime: Runtime, tensor: Tensor, factor: number): Tensor {
  const scaled = scaleTensor(runtime, tensor, factor);
  tensor.free();
  return scaled;
}
