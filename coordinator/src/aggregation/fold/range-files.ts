import { readSync, writeSync } from 'node:fs';
import { FederationError } from '@consilium/shared/kernel';
import { decodeRange, DTYPE_BYTES } from '@consilium/shared/weights';
import type { TensorTable } from './tensor-table.js';

/** A part of a tensor to be read. */
export interface RangeToRead {
  readonly tensor: number;
  readonly from: number;
  readonly count: number;
  readonly elementsPerScale: number;
}

/** Reads a range into the first places of `into`; `stored` has room for the bytes of any dtype. Blocks: for threads that fold. */
export function readRange(table: TensorTable, range: RangeToRead, into: Float32Array, stored: Uint8Array): void {
  const { tensor, from, count, elementsPerScale } = range;
  const dtype = table.dtypes[tensor] ?? 'F32';
  const position = (table.starts[tensor] as number) + from * DTYPE_BYTES[dtype];
  const values = into.subarray(0, count);
  if (dtype === 'F32') {
    fillFrom(table.descriptor, position, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    return;
  }
  const bytes = stored.subarray(0, count * DTYPE_BYTES[dtype]);
  fillFrom(table.descriptor, position, bytes);
  const scales = table.scales[tensor];
  decodeRange(bytes, dtype, values, scales && { scales, elementsPerScale, from });
}

function fillFrom(descriptor: number, position: number, bytes: Uint8Array): void {
  let filled = 0;
  while (filled < bytes.length) {
    const read = readSync(descriptor, bytes, filled, bytes.length - filled, position + filled);
    if (read === 0) throw new FederationError('WEIGHTS_MALFORMED', 'a weight file ends before its last tensor');
    filled += read;
  }
}

/** Writes elements at a byte position. */
export function writeRange(descriptor: number, position: number, values: ArrayBufferView): void {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  let written = 0;
  while (written < bytes.length) {
    written += writeSync(descriptor, bytes, written, bytes.length - written, position + written);
  }
}
