/**
 * 16-bit floats: IEEE 754 binary16 and bfloat16 (the upper half of a 32-bit float). Whole arrays at a time, with integer
 * arithmetic on the bits: a call or a view per element would cost ten times as much.
 */

/** Added to and taken from a double below 2^51, it leaves the nearest integer, ties to even. */
export const ROUNDING = 1.5 * 2 ** 52;

const SIGN = 0x8000;
const MAGNITUDE = 0x7fffffff;
const INFINITY = 0x7f800000;

/** From here on (65,520) the nearest half float is infinity. */
const F16_OVERFLOW = 0x477ff000;
/** The smallest normal half float, 2^-14; smaller ones are multiples of 2^-24. */
const F16_NORMAL = 0x38800000;
/** What the two exponents' biases differ by, in a half float's bits. */
const F16_BIAS_DIFFERENCE = (127 - 15) << 10;
const F16_NAN = 0x7e00;
const F16_INFINITY = 0x7c00;

/** Rounds to nearest even; beyond 65,504 lies infinity, as IEEE 754 says. */
export function floatsToF16(values: Float32Array, into: Uint16Array): Uint16Array {
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < bits.length; i++) {
    const word = bits[i] as number;
    const sign = (word >>> 16) & SIGN;
    const magnitude = word & MAGNITUDE;
    if (magnitude < F16_NORMAL) {
      into[i] = sign | (Math.abs(values[i] as number) * 2 ** 24 + ROUNDING - ROUNDING);
    } else if (magnitude < F16_OVERFLOW) {
      // A fraction that rounds up to 1 carries into the exponent by plain addition, as it should.
      into[i] = sign | (((magnitude + 0xfff + ((magnitude >>> 13) & 1)) >>> 13) - F16_BIAS_DIFFERENCE);
    } else {
      into[i] = sign | (magnitude > INFINITY ? F16_NAN : F16_INFINITY);
    }
  }
  return into;
}

let f16Table: Float32Array | undefined;

/** Exact. */
export function f16ToFloats(words: Uint16Array, into: Float32Array): Float32Array {
  f16Table ??= Float32Array.from({ length: 1 << 16 }, (_, pattern) => f16ToNumber(pattern));
  for (let i = 0; i < words.length; i++) into[i] = f16Table[words[i] as number] as number;
  return into;
}

function f16ToNumber(pattern: number): number {
  const sign = pattern & SIGN ? -1 : 1;
  const exponent = (pattern >>> 10) & 0x1f;
  const fraction = pattern & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Rounds to nearest even; what lies within half a step of 2^128 becomes infinity. */
export function floatsToBf16(values: Float32Array, into: Uint16Array): Uint16Array {
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < bits.length; i++) {
    const word = bits[i] as number;
    // Rounding must not carry a NaN's fraction away: that would leave an infinity.
    const isNaN = (word & MAGNITUDE) > INFINITY;
    into[i] = isNaN ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return into;
}

/** Exact. */
export function bf16ToFloats(words: Uint16Array, into: Float32Array): Float32Array {
  const bits = new Uint32Array(into.buffer, into.byteOffset, into.length);
  for (let i = 0; i < words.length; i++) bits[i] = (words[i] as number) << 16;
  return into;
}
