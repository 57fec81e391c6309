import { elementType } from './attributes.js';
import type { Runtime } from './runtime/runtime.js';
import type { Tensor } from './tensor.js';

/** A copy in another element type, owned by the caller; the tensor itself (with one more owner) when the type is the same. */
export function castTensor(runtime: Runtime, tensor: Tensor, dataType: number): Tensor {
  if (tensor.dataType === dataType) return tensor.keep();
  return runtime.runOne('Cast', [elementType('SrcT', tensor.dataType), elementType('DstT', dataType)], [tensor]);
}

/** As {@link castTensor}; frees the tensor. */
export function castAndFree(runtime: Runtime, tensor: Tensor, dataType: number): Tensor {
  const cast = castTensor(runtime, tensor, dataType);
  tensor.free();
  return cast;
}
