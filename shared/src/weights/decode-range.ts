/**
 * Ranges of stored tensors as 32-bit floats, for readers that go through files piece by piece. Integers are stored with one
 * scale per output channel: beside the tensor NAME of dtype I8 lies NAME#scale of dtype F32 with one number for each entry of
 * the first dimension, or a single one for vectors and scalars; an element's value is scale · integer, rounded to 32 bits.
 */
import type { TensorDtype } from './manifest.js';

/** The name under which the scales of an I8 tensor are stored. */
export function scaleNameOf(tensorName: string): string {
  return `${tensorName}#scale`;
}

/** How many scales an I8 tensor of this shape has. */
export function scaleCount(shape: readonly number[]): number {
  return shape.length < 2 ? 1 : (shape[0] as number);
}

/** What turns the integers of a range into numbers. */
export interface RangeScale {
  readonly scales: Float32Array;
  /** Elements of the tensor that share a scale. */
  readonly elementsPerScale: number;
  /** The place of the range's first element in the tensor. */
  readonly from: number;
}

/**
 * Little-endian stored elements → `into`, which has one place for each. Halves must start at an even address. Every dtype's
 * infinities and NaNs stay what they are. `scale` is needed for I8, and looked at for nothing else.
 */
export function decodeRange(bytes: Uint8Array, dtype: TensorDtype, into: Float32Array, scale?: RangeScale): void {
  switch (dtype) {
    case 'F32':
      new Uint8Array(into.buffer, into.byteOffset, into.byteLength).set(bytes);
      return;
    case 'F16':
      decodeHalves(halvesOf(bytes, into.length), into);
      return;
    case 'BF16':
      decodeUpperHalves(halvesOf(bytes, into.length), into);
      return;
    case 'I8':
      if (scale === undefined) throw new RangeError('integers have no value without their scales');
      decodeIntegers(new Int8Array(bytes.buffer, bytes.byteOffset, into.length), into, scale);
  }
}

function halvesOf(bytes: Uint8Array, count: number): Uint16Array {
  return new Uint16Array(bytes.buffer, bytes.byteOffset, count);
}

/** A bf16 is the upper half of a 32-bit float. */
function decodeUpperHalves(halves: Uint16Array, into: Float32Array): void {
  const bits = new Uint32Array(into.buffer, into.byteOffset, into.length);
  for (let i = 0; i < bits.length; i++) bits[i] = (halves[i] as number) << 16;
}

let halfTable: Float32Array | undefined;

function decodeHalves(halves: Uint16Array, into: Float32Array): void {
  const table = (halfTable ??= makeHalfTable());
  for (let i = 0; i < into.length; i++) into[i] = table[halves[i] as number] as number;
}

/** The value of every half: 256 KiB, and a look-up is quicker than taking bits apart. */
function makeHalfTable(): Float32Array {
  return Float32Array.from({ length: 1 << 16 }, (_, bits) => {
    const sign = (bits & 0x8000) === 0 ? 1 : -1;
    const exponent = (bits >>> 10) & 0x1f;
    const fraction = bits & 0x3ff;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  });
}

function decodeIntegers(integers: Int8Array, into: Float32Array, scale: RangeScale): void {
  into.set(integers);
  scaleIntegers(into, scale);
}

/** Integers, as numbers → scale · integer, in place. */
export function scaleIntegers(values: Float32Array, { scales, elementsPerScale, from }: RangeScale): void {
  let channel = Math.floor(from / elementsPerScale);
  let until = (channel + 1) * elementsPerScale - from;
  for (let i = 0; i < values.length; channel++, until += elementsPerScale) {
    const scale = scales[channel] as number;
    for (const end = Math.min(until, values.length); i < end; i++) values[i] = scale * (values[i] as number);
  }
}
