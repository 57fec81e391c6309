/**
 * Number formats of an update on its way. 16-bit floats are written as they are. Int8 is symmetric with one scale per output
 * channel, max|x| / 127 (Krishnamoorthi, arXiv 1806.08342, section 2.2): a tensor `NAME` of dtype I8 with the scales beside it
 * as `NAME#scale`, [channels] in 32 bits. All round to nearest even.
 */
import { FederationError } from '@consilium/shared/kernel';
import { elementCount, type TensorDtype } from './manifest.js';
import { ROUNDING } from './narrow-floats.js';
import { decodeElements, encodeElements } from './number-format.js';
import type { EncodedTensor } from './safetensors-file.js';
import { allFinite, type WeightSet, type WeightTensor } from './weight-set.js';

export type UpdateFormat = 'f32' | 'f16' | 'bf16' | 'int8';

const FLOAT_DTYPES = { f32: 'F32', f16: 'F16', bf16: 'BF16' } as const satisfies Record<string, TensorDtype>;

/** Ends the name of the scales that belong to an int8 tensor; no parameter's name holds it. */
export const SCALE_SUFFIX = '#scale';

const INT8_MOST = 127;

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
      return { name, shape, values: scales === undefined ? values : scaled(values, decodeElements(scales.bytes, scales.dtype)) };
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
  if (!allFinite(values)) throw outOfRange(name, 'I8');
  const channels = int8Channels(shape);
  const stride = channels === 0 ? 0 : elementCount(shape) / channels;
  const integers = new Int8Array(values.length);
  const decoded = new Float32Array(values.length);
  const scales = new Float32Array(channels);
  for (let channel = 0; channel < channels; channel++) {
    const [from, to] = [channel * stride, (channel + 1) * stride];
    scales[channel] = largest(values, from, to) / INT8_MOST;
    quantise(values, integers, decoded, { from, to, scale: scales[channel] as number });
  }
  return {
    tensors: [
      { name, shape, dtype: 'I8', bytes: new Uint8Array(integers.buffer) },
      { name: name + SCALE_SUFFIX, shape: [channels], dtype: 'F32', bytes: new Uint8Array(scales.buffer) },
    ],
    decoded: { name, shape, values: decoded },
  };
}

function largest(values: Float32Array, from: number, to: number): number {
  let most = 0;
  for (let i = from; i < to; i++) {
    const magnitude = Math.abs(values[i] as number);
    if (magnitude > most) most = magnitude;
  }
  return most;
}

/** Values too small for a scale of their own (the scale is 0 in 32 bits) become 0. */
function quantise(
  values: Float32Array,
  integers: Int8Array,
  decoded: Float32Array,
  { from, to, scale }: { readonly from: number; readonly to: number; readonly scale: number },
): void {
  if (scale === 0) return;
  for (let i = from; i < to; i++) {
    const nearest = (values[i] as number) / scale + ROUNDING - ROUNDING;
    // The rounded scale of a denormal channel may be so much smaller that its largest value lies beyond the range.
    const integer = nearest > INT8_MOST ? INT8_MOST : nearest < -INT8_MOST ? -INT8_MOST : nearest;
    integers[i] = integer;
    decoded[i] = integer * scale;
  }
}

function scaled(values: Float32Array, scales: Float32Array): Float32Array {
  const stride = scales.length === 0 ? 0 : values.length / scales.length;
  for (let channel = 0; channel < scales.length; channel++) {
    const scale = scales[channel] as number;
    for (let i = channel * stride; i < (channel + 1) * stride; i++) values[i] = (values[i] as number) * scale;
  }
  return values;
}

function outOfRange(name: string, dtype: TensorDtype): FederationError {
  return new FederationError('UPDATE_NOT_FINITE', `the update holds a value in ${name} that ${dtype} cannot hold`, {
    details: { tensor: name, dtype },
    remedy: 'The training at this site diverged: lower the learning rate, or choose a number format with a wider range.',
  });
}
