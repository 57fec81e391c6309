import { FederationError, invariant } from '@consilium/shared/kernel';
import type { TensorDtype } from './manifest.js';
import { bf16ToFloats, f16ToFloats, floatsToBf16, floatsToF16 } from './narrow-floats.js';

/** Bytes of one element. */
export const DTYPE_BYTES: Readonly<Record<TensorDtype, number>> = { F32: 4, F16: 2, BF16: 2, I8: 1 };

/** Little-endian bytes → 32-bit floats; the bytes may start at any offset. Int8 gives the integers, without their scales. */
export function decodeElements(bytes: Uint8Array, dtype: TensorDtype): Float32Array {
  const values = new Float32Array(bytes.byteLength / DTYPE_BYTES[dtype]);
  switch (dtype) {
    case 'F32':
      // Every platform that TensorFlow's wheels support is little-endian, so the bytes are taken as they are.
      new Uint8Array(values.buffer).set(bytes);
      return values;
    case 'I8':
      values.set(new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
      return values;
    case 'F16':
      return f16ToFloats(halfWords(bytes), values);
    case 'BF16':
      return bf16ToFloats(halfWords(bytes), values);
  }
}

/** 32-bit floats → little-endian bytes of the dtype, rounded to nearest even. Int8 needs scales: see `encodeTensor`. */
export function encodeElements(values: Float32Array, dtype: TensorDtype): Uint8Array {
  invariant(dtype !== 'I8', 'int8 values are written with their scales');
  if (dtype === 'F32') return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const words = new Uint16Array(values.length);
  if (dtype === 'F16') floatsToF16(values, words);
  else floatsToBf16(values, words);
  return new Uint8Array(words.buffer);
}

/** From here on 16-bit floats round to infinity; their largest number is 65,504. */
const F16_OVERFLOW = 65_520;

/**
 * As {@link encodeElements}, of a tensor that somebody will compute with. ARGUMENT_INVALID, naming it, when a number would become
 * infinite.
 */
export function encodeTensorElements({ name, values }: { name: string; values: Float32Array }, dtype: TensorDtype): Uint8Array {
  const beyond = dtype === 'F16' ? values.find((value) => Number.isFinite(value) && Math.abs(value) >= F16_OVERFLOW) : undefined;
  if (beyond === undefined) return encodeElements(values, dtype);
  throw new FederationError('ARGUMENT_INVALID', `${name} holds ${beyond}, and F16 ends at 65504`, {
    remedy: 'Write F32, or BF16, which has the range of F32.',
  });
}

/** A view where the bytes lie at an even offset, a copy elsewhere. */
function halfWords(bytes: Uint8Array): Uint16Array {
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
  return new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 2);
}
