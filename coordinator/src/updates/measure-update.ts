import { closeSync, openSync, readSync } from 'node:fs';
import { FederationError } from '@consilium/shared/kernel';
import {
  decodeRange,
  DTYPE_BYTES,
  elementCount,
  SafetensorsFile,
  scaleCount,
  type StoredTensor,
} from '@consilium/shared/weights';
import { RunningSketch } from './sketch.js';
import type { MeasuredUpdate } from './update-facts.js';
import { findUpdateTensors, type ScaledTensor, type UpdateShape } from './update-tensors.js';

/** Elements looked at in one go; the pass holds two such ranges and nothing that grows with the file. */
const RANGE_ELEMENTS = 1 << 18;

/** Room in a header for one tensor with its scales, and for what comes besides; a larger header is not read at all. */
const HEADER_BYTES_PER_TENSOR = 2048;
const HEADER_BYTES_BESIDES = 1 << 16;

/** What to measure: message to a thread. */
export interface MeasureTask {
  readonly path: string;
  readonly expected: UpdateShape;
}

/**
 * One pass over an update's file: throws WEIGHTS_MALFORMED, MANIFEST_MISMATCH or UPDATE_NOT_FINITE unless it holds exactly the
 * expected tensors with finite values, and measures the deltas (control variates are checked, not measured). The same values
 * give the same facts in whatever order the file holds them. Reads synchronously: call it in a thread.
 */
export async function measureUpdate({ path, expected }: MeasureTask): Promise<MeasuredUpdate> {
  const descriptor = openSync(path, 'r');
  try {
    requireModestHeader(descriptor, expected);
    const { deltas, controls } = findUpdateTensors(await headerOf(path), expected);
    const reader = new ValueReader(descriptor);
    const sketch = new RunningSketch();
    deltas.forEach((delta, index) => delta && addTensor(sketch, reader, delta, index));
    const unmeasured = new RunningSketch();
    controls.forEach((control, index) => addTensor(unmeasured, reader, control, index));
    return { norm: sketch.norm, sketch: sketch.finish() };
  } finally {
    closeSync(descriptor);
  }
}

/** Parsing JSON takes a multiple of its size in memory, so a header that no honest update has is refused unread. */
function requireModestHeader(descriptor: number, { deltas, controls }: UpdateShape): void {
  const prefix = Buffer.alloc(8);
  readSync(descriptor, prefix, 0, 8, 0);
  const most = HEADER_BYTES_BESIDES + HEADER_BYTES_PER_TENSOR * (deltas.length + controls.length);
  if (prefix.readBigUInt64LE() <= most) return;
  throw new FederationError('WEIGHTS_MALFORMED', 'the update announces a header far larger than its tensors need');
}

async function headerOf(path: string): Promise<readonly StoredTensor[]> {
  const file = await SafetensorsFile.open(path);
  await file.close();
  return file.header.tensors;
}

function addTensor(sketch: RunningSketch, reader: ValueReader, scaled: ScaledTensor, index: number): void {
  const { name, shape } = scaled.tensor;
  const count = elementCount(shape);
  const scales = scaled.scale === null ? undefined : reader.scales(scaled.scale);
  for (let from = 0; from < count; from += RANGE_ELEMENTS) {
    const length = Math.min(RANGE_ELEMENTS, count - from);
    if (sketch.add(reader.read(scaled.tensor, from, length, scales), length, index, from)) continue;
    throw new FederationError('UPDATE_NOT_FINITE', `the update holds a NaN or an infinity in ${name}`, {
      details: { tensor: name },
      remedy: 'The training at this site diverged: lower the learning rate, or look at the site with "site-agent doctor".',
    });
  }
}

/** Reads ranges of any number format into one array of 32-bit floats, which the next read overwrites. */
class ValueReader {
  private readonly values = new Float32Array(RANGE_ELEMENTS);
  /** Where the shorter formats lie before they are decoded. */
  private readonly stored = new Uint8Array(2 * RANGE_ELEMENTS);

  constructor(private readonly descriptor: number) {}

  /** Values [from, from + length) of the tensor, followed by zeros up to a multiple of 32. */
  read({ dtype, shape, start }: StoredTensor, from: number, length: number, scales: Float32Array | undefined): Float32Array {
    const values = this.values.subarray(0, length);
    const position = start + from * DTYPE_BYTES[dtype];
    if (dtype === 'F32') {
      this.fill(asBytes(values), position); // the bytes are the numbers themselves
    } else {
      const stored = this.stored.subarray(0, length * DTYPE_BYTES[dtype]);
      this.fill(stored, position);
      decodeRange(stored, dtype, values, scales && { scales, elementsPerScale: elementCount(shape) / scaleCount(shape), from });
    }
    return this.values.fill(0, length, length + 31);
  }

  /** All scales of a tensor of integers. */
  scales(scale: StoredTensor): Float32Array {
    const scales = new Float32Array(elementCount(scale.shape));
    this.fill(asBytes(scales), scale.start);
    return scales;
  }

  private fill(bytes: Uint8Array, position: number): void {
    for (let filled = 0; filled < bytes.length;) {
      const count = readSync(this.descriptor, bytes, filled, bytes.length - filled, position + filled);
      if (count === 0) throw new FederationError('WEIGHTS_MALFORMED', 'the update ends before its last tensor');
      filled += count;
    }
  }
}

// Every platform that TensorFlow's wheels support is little-endian, as the files are.
function asBytes({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
