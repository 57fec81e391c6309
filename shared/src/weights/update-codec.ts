/**
 * Number formats of an update on its way. 16-bit floats are written as they are. Int8 has one scale per output
 * channel (encode-range): a tensor `NAME` of dtype I8 with the scales beside it
 * as `NAME#scale`, [channels] in 32 bits. All round to nearest even.
 */
import { FederationError } from '@consilium/shared/kernel';
import { scaleIntegers } from './decode-range.js';
import { encodeChannels } from './encode-range.js';
import { elementCount, type TensorDtype } from './manifest.js';
import { decodeElements, encodeElements } from './number-format.js';
import type { EncodedTensor } from './safetensors-file.js';
import { allFinite, type WeightSet, type WeightTensor } from './weight-set.js';

export type UpdateFormat = 'f32' | 'f16' | 'bf16' | 'int8';

const FLOAT_DTYPES = { f32: 'F32', f16: 'F16', bf16: 'BF16' } as const satisfies Record<string, TensorDtype>;

/** Ends the name of the scales that belong to an int8 tensor; no parameter's name holds it. */
export const SCALE_SUFFIX = '#scale';

export interface EncodedUpdate {
  /** In the update's order; scales follow their tensor. */
  readonly tensors: readonly EncodedTensor[];
  /** What the reader will find. */
  readonly decoded: WeightSet;
}

/**
 * Writes the tensors in the format. Throws UPDATE_NOT_FINITE when a value is not finite or too large for the format: cutting
 * it down to the largest number would hide a training that has gone wrong.
 */
export function encodeUpdate(update: WeightSet, format: UpdateFormat): EncodedUpdate {
  const encoded = update.map((tensor) => (format === 'int8' ? encodeInt8(tensor) : encodeFloats(tensor, FLOAT_DTYPES[format])));
  return { tensors: encoded.flatMap(({ tensors }) => tensors), decoded: encoded.map(({ decoded }) => decoded) };
}

/** The values of an encoded update, scales applied, in 32 bits. */
export function decodeUpdate(tensors: readonly EncodedTensor[]): WeightSet {
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  return tensors
    .filter(({ name }) => !name.endsWith(SCALE_SUFFIX))
    .map(({ name, shape, dtype, bytes }) => {
      const values = decodeElements(bytes, dtype);
      const scales = byName.get(name + SCALE_SUFFIX);
      if (scales === undefined) return { name, shape, values };
      const elementsPerScale = elementCount(shape) / int8Channels(shape);
      scaleIntegers(values, { scales: decodeElements(scales.bytes, scales.dtype), elementsPerScale, from: 0 });
      return { name, shape, values };
    });
}

/** Scales of an int8 tensor: one per first dimension, a single one for scalars and vectors. */
export function int8Channels(shape: readonly number[]): number {
  return shape.length < 2 ? 1 : (shape[0] as number);
}

interface EncodedOne {
  readonly tensors: readonly EncodedTensor[];
  readonly decoded: WeightTensor;
}

function encodeFloats({ name, shape, values }: WeightTensor, dtype: 'F32' | 'F16' | 'BF16'): EncodedOne {
  const bytes = encodeElements(values, dtype);
  const decoded = dtype === 'F32' ? values : decodeElements(bytes, dtype);
  if (!allFinite(decoded)) throw outOfRange(name, dtype);
  return { tensors: [{ name, shape, dtype, bytes }], decoded: { name, shape, values: decoded } };
}

function encodeInt8({ name, shape, values }: WeightTensor): EncodedOne {
  const channels = int8Channels(shape);
  const integers = new Int8Array(values.length);
  const decoded = new Float32Array(values.length);
  const scales = new Float32Array(channels);
  if (!encodeChannels(values, { integers, scales, decoded })) throw outOfRange(name, 'I8');
  return {
    tensors: [
      { name, shape, dtype: 'I8', bytes: new Uint8Array(integers.buffer) },
      { name: name + SCALE_SUFFIX, shape: [channels], dtype: 'F32', bytes: new Uint8Array(scales.buffer) },
    ],
    decoded: { name, shape, values: decoded },
  };
}

function outOfRange(name: string, dtype: TensorDtype): FederationError {
  return new FederationError('UPDATE_NOT_FINITE', `the update holds a value in ${name} that ${dtype} cannot hold`, {
    details: { tensor: name, dtype },
    remedy: 'The training at this site diverged: lower the learning rate, or choose a number format with a wider range.',
  });
}
