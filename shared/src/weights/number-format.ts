import type { TensorDtype } from './manifest.js';

/** Bytes of one element. */
export const DTYPE_BYTES: Readonly<Record<TensorDtype, number>> = { F32: 4, F16: 2, BF16: 2, I8: 1 };

const scratch = new DataView(new ArrayBuffer(4));

/** Little-endian bytes → 32-bit floats; the bytes may start at any offset. */
export function decodeElements(bytes: Uint8Array, dtype: TensorDtype): Float32Array {
  const count = bytes.byteLength / DTYPE_BYTES[dtype];
  if (dtype === 'F32') return decodeF32(bytes, count);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Float32Array(count);
  const decode = dtype === 'BF16' ? bf16ToNumber : f16ToNumber;
  for (let i = 0; i < count; i++) values[i] = decode(view.getUint16(2 * i, true));
  return values;
}

// Every platform that TensorFlow's wheels support is little-endian, so f32 bytes are taken as they are.
function decodeF32(bytes: Uint8Array, count: number): Float32Array {
  const values = new Float32Array(count);
  new Uint8Array(values.buffer).set(bytes);
  return values;
}

/** 32-bit floats → little-endian bytes of the dtype, rounded to nearest even. */
export function encodeElements(values: Float32Array, dtype: TensorDtype): Uint8Array {
  if (dtype === 'F32') return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const bytes = new Uint8Array(2 * values.length);
  const view = new DataView(bytes.buffer);
  const encode = dtype === 'BF16' ? numberToBf16 : numberToF16;
  for (let i = 0; i < values.length; i++) view.setUint16(2 * i, encode(values[i] as number), true);
  return bytes;
}

function bf16ToNumber(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}

function numberToBf16(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  if (Number.isNaN(value)) return (bits >>> 16) | 0x40;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

function f16ToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function numberToF16(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = Math.abs(value);
  if (Number.isNaN(value)) return sign | 0x7e00;
  if (magnitude >= 65520) return sign | 0x7c00;
  if (magnitude < 2 ** -14) return sign | roundHalfEven(magnitude * 2 ** 24);
  const exponent = ((bits >>> 23) & 0xff) - 127;
  // A fraction that rounds up to 1024 carries into the exponent by plain addition, as it should.
  return sign | (((exponent + 15) << 10) + roundHalfEven((magnitude / 2 ** exponent - 1) * 1024));
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest > 0.5 || (rest === 0.5 && floor % 2 === 1)) return floor + 1;
  return floor;
}
