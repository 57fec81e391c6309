/**
 * 32-bit floats → stored elements of a number format, for writers that go through files piece by piece. Integers are symmetric with
 * one scale per output channel, max|x| / 127 (Krishnamoorthi, arXiv 1806.08342, section 2.2). All round to nearest even.
 */
import { decodeRange } from './decode-range.js';
import { floatsToBf16, floatsToF16, ROUNDING } from './narrow-floats.js';
import { allFinite } from './weight-set.js';

const INT8_MOST = 127;

/**
 * Floats → little-endian elements in `into`, which starts at an even address; `decoded` gets what a reader will find. False when a
 * value is not finite or too large for the format.
 */
export function encodeFloats(
  values: Float32Array,
  dtype: 'F32' | 'F16' | 'BF16',
  into: Uint8Array,
  decoded: Float32Array,
): boolean {
  if (dtype === 'F32') {
    into.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  } else {
    const words = new Uint16Array(into.buffer, into.byteOffset, values.length);
    if (dtype === 'F16') floatsToF16(values, words);
    else floatsToBf16(values, words);
  }
  decodeRange(into, dtype, decoded);
  return allFinite(decoded);
}

/** Where whole channels of integers go; `decoded` gets what a reader will find. */
export interface EncodedChannels {
  readonly integers: Int8Array;
  /** One for each channel. */
  readonly scales: Float32Array;
  readonly decoded: Float32Array;
}

/** Whole channels of equal length, as many as there are scales. False when a value is not finite; nothing is too large. */
export function encodeChannels(values: Float32Array, { integers, scales, decoded }: EncodedChannels): boolean {
  if (!allFinite(values)) return false;
  const stride = scales.length === 0 ? 0 : values.length / scales.length;
  for (let channel = 0; channel < scales.length; channel++) {
    const [from, to] = [channel * stride, (channel + 1) * stride];
    scales[channel] = largest(values, from, to) / INT8_MOST;
    quantise(values, integers, decoded, { from, to, scale: scales[channel] as number });
  }
  return true;
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
  if (scale === 0) {
    integers.fill(0, from, to);
    decoded.fill(0, from, to);
    return;
  }
  for (let i = from; i < to; i++) {
    const nearest = (values[i] as number) / scale + ROUNDING - ROUNDING;
    // The rounded scale of a denormal channel may be so much smaller that its largest value lies beyond the range.
    const integer = nearest > INT8_MOST ? INT8_MOST : nearest < -INT8_MOST ? -INT8_MOST : nearest;
    integers[i] = integer;
    decoded[i] = integer * scale;
  }
}
