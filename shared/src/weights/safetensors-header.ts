/**
 * The safetensors header (format by Hugging Face): an unsigned 64-bit little-endian length, then JSON that maps tensor names
 * to dtype, shape and byte range within the data section, then the data. Readable by Python's `safetensors`.
 */
import { FederationError } from '@consilium/shared/kernel';
import { elementCount, type TensorDtype } from './manifest.js';
import { DTYPE_BYTES } from './number-format.js';

/** A header larger than this is refused before it is read: 100 MB is the format's own limit, far above any model of ours. */
export const HEADER_BYTES_LIMIT = 100_000_000;

/** One tensor of a file with its absolute byte range [start, end). */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: TensorDtype;
  readonly shape: readonly number[];
  readonly start: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly tensors: readonly StoredTensor[];
  readonly metadata: Readonly<Record<string, string>>;
  /** The whole file's size as the header implies it. */
  readonly fileBytes: number;
}

const DTYPES: ReadonlySet<string> = new Set(Object.keys(DTYPE_BYTES));

/** Length prefix and JSON, padded with spaces so that the data section starts on an 8-byte boundary. */
export function encodeHeader(
  tensors: readonly { name: string; dtype: TensorDtype; shape: readonly number[] }[],
  metadata: Readonly<Record<string, string>>,
): { bytes: Uint8Array; header: SafetensorsHeader } {
  const members: Record<string, unknown> = Object.keys(metadata).length > 0 ? { __metadata__: metadata } : {};
  let offset = 0;
  const ranges = tensors.map(({ name, dtype, shape }) => {
    const start = offset;
    offset += elementCount(shape) * DTYPE_BYTES[dtype];
    members[name] = { dtype, shape, data_offsets: [start, offset] };
    return { name, dtype, shape, start, end: offset };
  });
  let json = JSON.stringify(members);
  json += ' '.repeat((8 - (Buffer.byteLength(json) % 8)) % 8);
  const bytes = Buffer.alloc(8 + Buffer.byteLength(json));
  bytes.writeBigUInt64LE(BigInt(bytes.byteLength - 8));
  bytes.write(json, 8);
  const origin = bytes.byteLength;
  const placed = ranges.map((range) => ({ ...range, start: range.start + origin, end: range.end + origin }));
  return { bytes, header: { tensors: placed, metadata, fileBytes: origin + offset } };
}

/** The JSON's length from the first 8 bytes; WEIGHTS_MALFORMED when it cannot be true for a file of this size. */
export function decodeHeaderLength(prefix: Uint8Array, fileBytes: number): number {
  if (prefix.byteLength < 8) throw malformed('is shorter than its length prefix');
  const length = Number(Buffer.from(prefix.buffer, prefix.byteOffset, 8).readBigUInt64LE());
  if (length > HEADER_BYTES_LIMIT || length + 8 > fileBytes) throw malformed('announces a header larger than itself');
  return length;
}

/** Parses and checks the JSON: known dtypes, ranges that fit their shapes, no overlap, no gap, no byte left over. */
export function decodeHeader(json: Uint8Array, fileBytes: number): SafetensorsHeader {
  const origin = json.byteLength + 8;
  const members = parseMembers(json);
  const metadata = asStringRecord(members['__metadata__']);
  const tensors = Object.entries(members)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, value]) => decodeEntry(name, value, origin))
    .sort((a, b) => a.start - b.start);
  let expectedStart = origin;
  for (const tensor of tensors) {
    if (tensor.start !== expectedStart) throw malformed(`leaves a gap or overlap before ${tensor.name}`);
    expectedStart = tensor.end;
  }
  if (expectedStart !== fileBytes) throw malformed(`has ${fileBytes} bytes where its header implies ${expectedStart}`);
  return { tensors, metadata, fileBytes };
}

function parseMembers(json: Uint8Array): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(json.buffer, json.byteOffset, json.byteLength).toString('utf8'));
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed))
      return Object.fromEntries(Object.entries(parsed));
  } catch (cause) {
    throw malformed('has a header that is not JSON', cause);
  }
  throw malformed('has a header that is not a JSON object');
}

function decodeEntry(name: string, value: unknown, origin: number): StoredTensor {
  const entry = typeof value === 'object' && value !== null ? new Map(Object.entries(value)) : new Map<string, unknown>();
  const dtype: unknown = entry.get('dtype');
  const shape = asCounts(entry.get('shape'));
  const range = asCounts(entry.get('data_offsets'));
  if (typeof dtype !== 'string' || shape === undefined || range?.length !== 2) throw malformed(`describes ${name} wrongly`);
  if (!DTYPES.has(dtype)) throw malformed(`stores ${name} as ${dtype}; F32, F16, BF16 and I8 are supported`);
  const known = dtype as TensorDtype;
  const [start, end] = [range[0] as number, range[1] as number];
  if (end - start !== elementCount(shape) * DTYPE_BYTES[known]) throw malformed(`gives ${name} a byte range unlike its shape`);
  return { name, dtype: known, shape, start: start + origin, end: end + origin };
}

function asCounts(value: unknown): number[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const counts: unknown[] = value;
  return counts.every((item): item is number => Number.isSafeInteger(item) && (item as number) >= 0) ? counts : undefined;
}

function asStringRecord(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value).filter((pair): pair is [string, string] => typeof pair[1] === 'string'));
}

export function malformed(detail: string, cause?: unknown): FederationError {
  return new FederationError('WEIGHTS_MALFORMED', `the weight file ${detail}`, {
    cause,
    remedy: 'The file is damaged or not a safetensors file: transfer or export it again.',
  });
}
