import { pipeline } from 'node:stream/promises';
import { constants, createGunzip, gunzipSync } from 'node:zlib';
import { type ByteSource, isCompressed } from './byte-source.js';

const READ_BYTES = 1 << 18;
const INFLATE_BYTES = 1 << 20;
/** Deflate cannot compress better than this, so what {@link ByteSource.start} inflates to is bounded as well. */
export const BEST_GZIP_RATIO = 1032;

/**
 * The content, inflated if it is compressed (any number of gzip members), as chunks that are valid until the next one is
 * asked for. The consumer may stop at any time. Plain content starts at `from`; compressed content always at its beginning.
 */
export async function* contentOf(source: ByteSource, from = 0): AsyncGenerator<Uint8Array> {
  if (!isCompressed(source)) {
    yield* plainChunks(source, from, true);
    return;
  }
  const gunzip = createGunzip({ chunkSize: INFLATE_BYTES });
  const feeding = pipeline(plainChunks(source, 0, false), gunzip);
  feeding.catch(() => undefined); // the same error comes out of gunzip
  try {
    yield* gunzip as AsyncIterable<Uint8Array>;
  } finally {
    gunzip.destroy();
    await feeding.catch(() => undefined); // nothing reads the source any more
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
