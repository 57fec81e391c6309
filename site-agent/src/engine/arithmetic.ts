import { elementType, flag, FLOAT } from './attributes.js';
import type { Runtime } from './runtime/runtime.js';
import { DATA_TYPE } from './runtime/tensorflow-binding.js';
import type { Tensor } from './tensor.js';

const OVER_AXES = [elementType('T'), elementType('Tidx', DATA_TYPE.int32)];

/**
 * Formulas over tensors of 32-bit floats. Every operation takes over its operands, so that each intermediate result is freed
 * as soon as it was read: `keep()` what is read again.
 */
export class Arithmetic {
  constructor(private readonly runtime: Runtime) {}

  /** An operation of TensorFlow that asks for nothing but the element type. */
  apply(operation: string, ...operands: readonly Tensor[]): Tensor {
    const result = this.runtime.runOne(operation, FLOAT, operands);
    for (const operand of operands) operand.free();
    return result;
  }

  /** left · right; sides of one repeat, here and below. */
  times(left: Tensor, right: Tensor): Tensor {
    return this.apply('Mul', left, right);
  }

  plus(left: Tensor, right: Tensor): Tensor {
    return this.apply('AddV2', left, right);
  }

  minus(left: Tensor, right: Tensor): Tensor {
    return this.apply('Sub', left, right);
  }

  scale(tensor: Tensor, factor: number): Tensor {
    return this.times(tensor, this.runtime.scalar(factor));
  }

  shift(tensor: Tensor, summand: number): Tensor {
    return this.plus(tensor, this.runtime.scalar(summand));
  }

  /** The sums along the given axes, which stay with one element each when `keepSides`. */
  sum(tensor: Tensor, axes: readonly number[], keepSides = false): Tensor {
    const sums = this.runtime.runOne('Sum', [...OVER_AXES, flag('keep_dims', keepSides)], [tensor, this.runtime.integers(axes)]);
    tensor.free();
    return sums;
  }

  /** The sum of all elements. */
  total(tensor: Tensor): number {
    return this.runtime.takeNumber(this.sum(tensor, [...tensor.shape.keys()]));
  }
}
