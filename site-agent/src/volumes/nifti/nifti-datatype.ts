import type { StoredValues } from './stored-values.js';
import { unreadable, unsuitable } from '../volume-fault.js';

/** A voxel type that can be read as a real number. */
export interface NiftiDatatype {
  readonly code: number;
  readonly name: string;
  readonly bytes: 1 | 2 | 4 | 8;
  /** A view of voxels in this machine's byte order. */
  readonly view: (buffer: ArrayBuffer) => StoredValues;
}

const READABLE: readonly NiftiDatatype[] = [
  { code: 2, name: 'uint8', bytes: 1, view: (buffer) => new Uint8Array(buffer) },
  { code: 256, name: 'int8', bytes: 1, view: (buffer) => new Int8Array(buffer) },
  { code: 4, name: 'int16', bytes: 2, view: (buffer) => new Int16Array(buffer) },
  { code: 512, name: 'uint16', bytes: 2, view: (buffer) => new Uint16Array(buffer) },
  { code: 8, name: 'int32', bytes: 4, view: (buffer) => new Int32Array(buffer) },
  { code: 768, name: 'uint32', bytes: 4, view: (buffer) => new Uint32Array(buffer) },
  { code: 16, name: 'float32', bytes: 4, view: (buffer) => new Float32Array(buffer) },
  { code: 64, name: 'float64', bytes: 8, view: (buffer) => new Float64Array(buffer) },
  { code: 1024, name: 'int64', bytes: 8, view: (buffer) => new BigInt64Array(buffer) },
  { code: 1280, name: 'uint64', bytes: 8, view: (buffer) => new BigUint64Array(buffer) },
];

const UNSUPPORTED: Readonly<Record<number, string>> = {
  1: 'single bits',
  32: 'complex numbers',
  128: 'RGB colours',
  1536: '128-bit floats',
  1792: 'complex numbers',
  2048: 'complex numbers',
  2304: 'RGBA colours',
};

/** The type of a NIfTI data type code; colour, complex and unknown codes are refused. */
export function datatypeOf(code: number): NiftiDatatype {
  const known = READABLE.find((datatype) => datatype.code === code);
  if (known !== undefined) return known;
  const name = UNSUPPORTED[code];
  if (name !== undefined) throw unsuitable(`its voxels are ${name}, not real numbers`);
  throw unreadable(`unknown data type ${code}`);
}

/** NIfTI codes and sizes of what this program writes. */
export const WRITTEN_DATATYPES = { uint8: { code: 2, bytes: 1 }, float32: { code: 16, bytes: 4 } } as const;
