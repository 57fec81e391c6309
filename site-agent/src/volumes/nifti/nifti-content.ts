import { pipeline } from 'node:stream/promises';
import { constants, createGunzip, createInflateRaw, type Gunzip, gunzipSync, type InflateRaw } from 'node:zlib';
import { type ByteSource, isCompressed } from './byte-source.js';

const READ_BYTES = 1 << 18;
const INFLATE_BYTES = 1 << 20;
const LONGEST_GZIP_HEADER_BYTES = 1 << 18;
/** Deflate cannot compress better than this, so what {@link ByteSource.start} inflates to is bounded as well. */
export const BEST_GZIP_RATIO = 1032;

/**
 * The content, inflated if it is compressed (any number of gzip members), as chunks that are valid until the next one is
 * asked for. What follows a gzip member and is none is passed over. The consumer may stop at any time. Plain content starts at `from`; compressed content always at its beginning.
 */
export async function* contentOf(source: ByteSource, from = 0): AsyncGenerator<Uint8Array> {
  if (!isCompressed(source)) {
    yield* plainChunks(source, from, true);
    return;
  }
  let given = 0;
  try {
    for await (const chunk of inflate(source, 0, createGunzip({ chunkSize: INFLATE_BYTES }))) {
      given += chunk.length;
      yield chunk;
    }
  } catch (error) {
    if (!isForeignTail(error)) throw error;
    const alone = inflate(source, await gzipHeaderBytes(source), createInflateRaw({ chunkSize: INFLATE_BYTES }));
    yield* skipBytes(alone, given); // the same again: what was inflated last went down with the error
  }
}

async function* inflate(source: ByteSource, from: number, inflater: Gunzip | InflateRaw): AsyncGenerator<Uint8Array> {
  const feeding = pipeline(plainChunks(source, from, false), inflater);
  feeding.catch(() => undefined); // the same error comes out of the inflater
  try {
    yield* inflater as AsyncIterable<Uint8Array>;
  } finally {
    inflater.destroy();
    await feeding.catch(() => undefined); // nothing reads the source any more
  }
}

/** Bytes that are no gzip behind a member whose checksum was right: zlib takes them for another member. */
function isForeignTail(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'message' in error && error.message === 'incorrect header check';
}

/** RFC 1952: ten bytes, then extra fields, name, comment and checksum as flags say. */
async function gzipHeaderBytes(source: ByteSource): Promise<number> {
  const bytes = Buffer.alloc(Math.min(source.bytes, LONGEST_GZIP_HEADER_BYTES));
  await source.read(bytes, 0);
  const flags = bytes[3] ?? 0;
  let at = 10;
  if ((flags & 4) !== 0) at += 2 + bytes.readUInt16LE(at);
  for (const text of [8, 16]) if ((flags & text) !== 0) at = bytes.indexOf(0, at) + 1;
  return (flags & 2) !== 0 ? at + 2 : at;
}

async function* skipBytes(chunks: AsyncIterable<Uint8Array>, count: number): AsyncGenerator<Uint8Array> {
  let left = count;
  for await (const chunk of chunks) {
    const skipped = Math.min(left, chunk.length);
    left -= skipped;
    if (skipped < chunk.length) yield chunk.subarray(skipped);
  }
}

async function* plainChunks(source: ByteSource, from: number, reuse: boolean): AsyncGenerator<Uint8Array> {
  const size = reuse ? INFLATE_BYTES : READ_BYTES;
  let chunk: Uint8Array | undefined;
  for (let position = from; position < source.bytes; position += size) {
    chunk = chunk !== undefined && reuse ? chunk : Buffer.allocUnsafe(Math.min(size, source.bytes - position));
    const length = await source.read(chunk, position);
    if (length === 0) return;
    yield chunk.subarray(0, length);
  }
}

/** The first bytes of the content, as many as asked for unless it ends before. */
export async function contentStart(source: ByteSource, bytes: number): Promise<Uint8Array> {
  const quick = isCompressed(source) ? inflateStart(source.start) : source.start;
  if (quick.length >= bytes || (!isCompressed(source) && source.bytes <= quick.length)) return quick.subarray(0, bytes);
  const start = new Uint8Array(bytes);
  let length = 0;
  for await (const chunk of contentOf(source)) {
    const taken = chunk.subarray(0, bytes - length);
    start.set(taken, length);
    length += taken.length;
    if (length === bytes) break;
  }
  return start.subarray(0, length);
}

/** What a cut stream inflates to as far as it goes; nothing when it is damaged. */
function inflateStart(start: Uint8Array): Uint8Array {
  try {
    return gunzipSync(start, { finishFlush: constants.Z_SYNC_FLUSH });
  } catch {
    return new Uint8Array(0); // the stream decides, and says why
  }
}
