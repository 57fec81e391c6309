import { byType, elementType } from '../attributes.js';
import { DATA_TYPE } from '../runtime/tensorflow-binding.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Tensor } from '../tensor.js';

const RESHAPE = byType((type) => [elementType('T', type), elementType('Tshape', DATA_TYPE.int32)]);

/** The same values in another shape, sharing their memory. */
export function reshape(runtime: Runtime, tensor: Tensor, shape: readonly number[]): Tensor {
  return runtime.runOne('Reshape', RESHAPE(tensor), [tensor, runtime.integers(shape)]);
}

/** As {@link reshape}; frees the tensor. */
export function reshapeAndFree(runtime: Runtime, tensor: Tensor, shape: readonly number[]): Tensor {
  const reshaped = reshape(runtime, tensor, shape);
  tensor.free();
  return reshaped;
}
