import { closeSync, openSync, readSync } from 'node:fs';
import { FederationError } from '@consilium/shared/kernel';
import { elementCount, SafetensorsFile, type StoredTensor } from '@consilium/shared/weights';
import { RunningSketch } from './sketch.js';
import type { MeasuredUpdate } from './update-facts.js';
import { channelCount, findUpdateTensors, type ScaledTensor, type UpdateShape } from './update-tensors.js';

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
    deltas.forEach((delta, index) => addTensor(sketch, reader, delta, index));
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
  private readonly bits = new Uint32Array(this.values.buffer);
  private readonly raw = new ArrayBuffer(2 * RANGE_ELEMENTS);

  constructor(private readonly descriptor: number) {}

  /** Values [from, from + length) of the tensor, followed by zeros up to a multiple of 32. */
  read(tensor: StoredTensor, from: number, length: number, scales: Float32Array | undefined): Float32Array {
    const { values } = this;
    switch (tensor.dtype) {
      case 'F32':
        this.fill(new Uint8Array(values.buffer, 0, 4 * length), tensor.start + 4 * from);
        break;
      case 'F16':
        this.fill(new Uint8Array(this.raw, 0, 2 * length), tensor.start + 2 * from);
        decodeF16(new Uint16Array(this.raw, 0, length), values);
        break;
      case 'BF16':
        this.fill(new Uint8Array(this.raw, 0, 2 * length), tensor.start + 2 * from);
        decodeBf16(new Uint16Array(this.raw, 0, length), this.bits);
        break;
      case 'I8':
        this.fill(new Uint8Array(this.raw, 0, length), tensor.start + from);
        decodeI8(new Int8Array(this.raw, 0, length), values, scales ?? new Float32Array(1), from, channelSize(tensor));
        break;
    }
    return values.fill(0, length, Math.min(values.length, length + 31));
  }

  /** All scales of a tensor; there is one per output channel. */
  scales(scale: StoredTensor): Float32Array {
    const scales = new Float32Array(elementCount(scale.shape));
    this.fill(new Uint8Array(scales.buffer), scale.start);
    return scales;
  }

  // Little-endian bytes are the numbers themselves on every platform that TensorFlow's wheels support.
  private fill(bytes: Uint8Array, position: number): void {
    for (let filled = 0; filled < bytes.length;) {
      const count = readSync(this.descriptor, bytes, filled, bytes.length - filled, position + filled);
      if (count === 0) throw new FederationError('WEIGHTS_MALFORMED', 'the update ends before its last tensor');
      filled += count;
    }
  }
}

function channelSize(tensor: StoredTensor): number {
  return elementCount(tensor.shape) / channelCount(tensor.shape);
}

/** All 65,536 half-precision numbers as 32-bit floats: looking one up is faster than putting it together. */
let halves: Float32Array | undefined;

function decodeF16(source: Uint16Array, values: Float32Array): void {
  const table = (halves ??= Float32Array.from({ length: 1 << 16 }, (_, bits) => halfToNumber(bits)));
  for (let i = 0; i < source.length; i++) values[i] = table[source[i] as number] as number;
}

function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function decodeBf16(source: Uint16Array, bits: Uint32Array): void {
  for (let i = 0; i < source.length; i++) bits[i] = (source[i] as number) << 16;
}

function decodeI8(source: Int8Array, values: Float32Array, scales: Float32Array, from: number, channel: number): void {
  let i = 0;
  while (i < source.length) {
    const index = Math.floor((from + i) / channel);
    const scale = scales[index] as number;
    const end = Math.min(source.length, (index + 1) * channel - from);
    // A product that a 32-bit float cannot hold becomes an infinity, which the pass refuses.
    for (; i < end; i++) values[i] = (source[i] as number) * scale;
  }
}
