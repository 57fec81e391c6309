/** IEEE 754 binary16: 11 significant bits, so that a value between 0 and 1 is off by at most 2⁻¹² (0.00025). */

const floats = new Float32Array(1);
const bits = new Uint32Array(floats.buffer);

/** Bits of the nearest half-precision number, ties to even; beyond 65504 infinity. */
export function toHalf(value: number): number {
  floats[0] = value;
  const pattern = bits[0] as number;
  const sign = (pattern >>> 16) & 0x8000;
  const magnitude = pattern & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    // Dropping 13 fraction bits; adding half of the last kept bit (less one when it is even) rounds to nearest even.
    return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
  }
  return sign | roundHalfEven(Math.abs(value) * 2 ** 24);
}

/** The value of every half-precision number by its bits: looking up is the fastest way to decode many. */
export function halfTable(): Float32Array {
  table ??= Float32Array.from({ length: 1 << 16 }, (_, pattern) => fromHalf(pattern));
  return table;
}

let table: Float32Array | undefined;

function fromHalf(pattern: number): number {
  const sign = pattern & 0x8000 ? -1 : 1;
  const exponent = (pattern >>> 10) & 0x1f;
  const fraction = pattern & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
