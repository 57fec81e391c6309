import { channelElements, type TensorDtype } from '@consilium/shared/weights';
import type { NumberFormat } from '@consilium/shared/wire';
import { BLOCK_ELEMENTS, PIECE_ELEMENTS } from './pieces.js';

const FLOAT_DTYPES = { f32: 'F32', f16: 'F16', bf16: 'BF16' } as const;

/**
 * How a tensor of this shape is stored in the delta of a version. Channels that are longer than a piece are not scaled but stored in
 * bf16: a thread never holds more than a piece, and bf16 takes less of each value than int8 may take.
 */
export function deltaDtype(shape: readonly number[], format: NumberFormat): TensorDtype {
  if (format !== 'int8') return FLOAT_DTYPES[format];
  return channelElements(shape) > PIECE_ELEMENTS ? 'BF16' : 'I8';
}

/** Where a tensor may be cut: a scale needs its whole channel. */
export function cutUnit(shape: readonly number[], format: NumberFormat | undefined): number {
  const isScaled = format !== undefined && deltaDtype(shape, format) === 'I8';
  return isScaled ? Math.max(1, channelElements(shape)) : BLOCK_ELEMENTS;
}
