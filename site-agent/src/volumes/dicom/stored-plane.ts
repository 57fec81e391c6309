import { unreadable } from '../volume-fault.js';
import type { PixelFacts } from './dicom-facts.js';

export type StoredValues =
  Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array | Float32Array | Float64Array;

/** The numbers that a file stores for one plane, before rescaling; row-major. */
export interface StoredPlane {
  readonly columns: number;
  readonly rows: number;
  readonly values: StoredValues;
}

/** What decoding a frame needs to know; plain data, so that it can be handed to threads. */
export type FrameForm = Pick<
  PixelFacts,
  'rows' | 'columns' | 'samplesPerPixel' | 'bitsAllocated' | 'bitsStored' | 'highBit' | 'signed' | 'floating'
>;

/** The bytes of a frame that is not encoded. */
export function frameBytes({ rows, columns, samplesPerPixel, bitsAllocated }: FrameForm): number {
  return (rows * columns * samplesPerPixel * bitsAllocated) / 8;
}

/** Stored values out of a frame's plain bytes. `bytes` may be given up: the values may lie in its memory. */
export function valuesOf(bytes: Buffer, form: FrameForm, bigEndian: boolean): StoredValues {
  const wanted = frameBytes(form);
  if (bytes.length < wanted) throw unreadable('the pixel data is cut short');
  const width = form.bitsAllocated / 8;
  const own =
    bytes.byteOffset % width === 0 ? bytes.subarray(0, wanted) : Buffer.from(new Uint8Array(bytes.subarray(0, wanted)).buffer);
  if (bigEndian) swapBytes(own, width);
  const values = viewAs(own, form);
  if (!form.floating) extractBits(values, form.bitsStored, form.highBit + 1 - form.bitsStored, form.signed);
  return values;
}

/**
 * Keeps the bits that belong to the value (PS3.5 section 8.1.1: others may hold anything, in old files overlays), brings them
 * down by `shift`, and extends the sign. In place; works on any array of integers.
 */
export function extractBits(values: StoredValues, bitsStored: number, shift: number, signed: boolean): void {
  const width = 8 * values.BYTES_PER_ELEMENT;
  if (bitsStored >= width) return;
  const up = 32 - bitsStored - shift;
  const down = 32 - bitsStored;
  if (signed) for (let i = 0; i < values.length; i++) values[i] = ((values[i] as number) << up) >> down;
  else for (let i = 0; i < values.length; i++) values[i] = ((values[i] as number) << up) >>> down;
}

function viewAs(bytes: Buffer, { bitsAllocated, signed, floating }: FrameForm): StoredValues {
  const { byteOffset, length } = bytes;
  const buffer = bytes.buffer as ArrayBuffer;
  if (floating) {
    return bitsAllocated === 64
      ? new Float64Array(buffer, byteOffset, length / 8)
      : new Float32Array(buffer, byteOffset, length / 4);
  }
  switch (bitsAllocated) {
    case 8:
      return new (signed ? Int8Array : Uint8Array)(buffer, byteOffset, length);
    case 16:
      return new (signed ? Int16Array : Uint16Array)(buffer, byteOffset, length / 2);
    default:
      return new (signed ? Int32Array : Uint32Array)(buffer, byteOffset, length / 4);
  }
}

function swapBytes(bytes: Buffer, width: number): void {
  if (width === 2) bytes.swap16();
  if (width === 4) bytes.swap32();
  if (width === 8) bytes.swap64();
}
