import { decodeElements } from '../number-format.js';
import { TORCH_DTYPE_BYTES, type TorchDtype } from './pickled-values.js';

/** Little-endian bytes of a storage as 32-bit floats; wider numbers are rounded to the nearest, counters are exact up to 2^24. */
export function floatsOf(bytes: Uint8Array, dtype: TorchDtype): Float32Array {
  switch (dtype) {
    case 'F32':
    case 'F16':
    case 'BF16':
    case 'I8':
      return decodeElements(bytes, dtype);
    case 'U8':
    case 'BOOL':
      return Float32Array.from(bytes);
    case 'F64':
    case 'I64':
    case 'I32':
    case 'I16':
      return widerFloats(bytes, dtype);
  }
}

function widerFloats(bytes: Uint8Array, dtype: 'F64' | 'I64' | 'I32' | 'I16'): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = TORCH_DTYPE_BYTES[dtype];
  const read = READERS[dtype];
  return Float32Array.from({ length: bytes.byteLength / size }, (_, index) => read(view, index * size));
}

const READERS = {
  F64: (view: DataView, at: number) => view.getFloat64(at, true),
  I64: (view: DataView, at: number) => Number(view.getBigInt64(at, true)),
  I32: (view: DataView, at: number) => view.getInt32(at, true),
  I16: (view: DataView, at: number) => view.getInt16(at, true),
} as const;

/** Row-major strides of a shape. */
export function contiguousStrides(shape: readonly number[]): number[] {
  const strides: number[] = [];
  let step = 1;
  for (const side of [...shape].reverse()) {
    strides.unshift(step);
    step *= side;
  }
  return strides;
}

/** Elements in row-major order from a run in which they lie by the given strides. */
export function gatherElements(run: Float32Array, shape: readonly number[], strides: readonly number[]): Float32Array {
  if (run.length === 0 || isContiguous(shape, strides)) return run;
  const values = new Float32Array(shape.reduce((product, side) => product * side, 1));
  const index = shape.map(() => 0);
  let from = 0;
  for (let to = 0; to < values.length; to++) {
    values[to] = run[from] as number;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const [next, stride] = [(index[axis] as number) + 1, strides[axis] as number];
      from += stride;
      if (next < (shape[axis] as number)) {
        index[axis] = next;
        break;
      }
      from -= next * stride;
      index[axis] = 0;
    }
  }
  return values;
}

/** The stride of a side of one says nothing. */
function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  return contiguousStrides(shape).every((step, axis) => shape[axis] === 1 || strides[axis] === step);
}
