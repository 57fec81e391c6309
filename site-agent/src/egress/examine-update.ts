import { type FileHandle, open } from 'node:fs/promises';
import { algorithmOf, type Digest, errnoOf, FederationError, openDigest, type RunningDigest } from '@consilium/shared/kernel';
import {
  decodeHeader,
  decodeRange,
  DTYPE_BYTES,
  elementCount,
  type RangeScale,
  SCALE_SUFFIX,
  type StoredTensor,
  type TensorDtype,
} from '@consilium/shared/weights';
import { longestHeader, refused, requireContents } from './require-contents.js';
import type { UpdateContents } from './update-contents.js';

/** What is read in one go: a fraction of a millisecond of work, then other events have their turn. */
const PIECE_BYTES = 1 << 19;

/** One tensor as it leaves. */
export interface TensorRecord {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: TensorDtype;
  readonly bytes: number;
  /** Euclidean norm of the values, of integers with their scales; null where one is not finite. */
  readonly norm: number | null;
  readonly digest: Digest;
}

export interface ExaminedUpdate {
  readonly digest: Digest;
  readonly bytes: number;
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: readonly TensorRecord[];
}

export interface UpdateToExamine {
  readonly path: string;
  /** What the trainer named it by. */
  readonly digest: Digest;
  readonly contents: UpdateContents;
  /** The most that its metadata may say. */
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Reads the file of an update once, from its first byte to its last: throws EGRESS_REFUSED unless it holds what the contents say, and
 * nothing else, and unless its bytes are those of the digest. The agent does this itself rather than take the trainer's word: it is
 * the last one to see the bytes. The file is read in pieces with the event loop free in between; memory stays flat. STORAGE_FAILED
 * when it is gone.
 */
export async function examineUpdate(
  { path, digest, contents, metadata }: UpdateToExamine,
  signal?: AbortSignal,
): Promise<ExaminedUpdate> {
  const file = await openFile(path);
  try {
    const { size } = await file.stat();
    const reader = new PieceReader(file, digest);
    const headerBytes = await reader.header(size, longestHeader(contents));
    const header = decoded(headerBytes, size);
    requireContents(header, headerBytes, contents, metadata);
    const scales = new Map(header.tensors.map((tensor) => [tensor.name, tensor]));
    const tensors: TensorRecord[] = [];
    for (const tensor of header.tensors) {
      signal?.throwIfAborted();
      tensors.push(await reader.tensor(tensor, scales.get(tensor.name + SCALE_SUFFIX)));
    }
    const actual = reader.finish();
    if (actual !== digest) throw refused('its bytes are not those that training ended with');
    return { digest, bytes: size, metadata: header.metadata, tensors };
  } finally {
    await file.close();
  }
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (cause) {
    if (errnoOf(cause) !== 'ENOENT') throw FederationError.from(cause, 'STORAGE_FAILED');
    throw new FederationError('STORAGE_FAILED', 'the update file is gone', {
      cause,
      retryable: false,
      remedy: 'The agent trains this round again; leave the folder “rounds” to it.',
    });
  }
}

function decoded(headerBytes: Uint8Array, size: number): ReturnType<typeof decodeHeader> {
  try {
    return decodeHeader(headerBytes.subarray(8), size);
  } catch (thrown) {
    throw refused(`as a weight file it is malformed (${FederationError.from(thrown).code})`);
  }
}

/** Reads the file in order; each byte goes into the file's digest once, and into that of its tensor. */
class PieceReader {
  private readonly piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
  private values = new Float32Array(0);
  private readonly whole: RunningDigest;

  constructor(
    private readonly file: FileHandle,
    private readonly named: Digest,
  ) {
    this.whole = openDigest(algorithmOf(named));
  }

  /** With its length in front. */
  async header(fileBytes: number, most: number): Promise<Uint8Array> {
    const prefix = Buffer.alloc(8);
    await this.fill(prefix, 0, fileBytes);
    const length = prefix.readBigUInt64LE() + 8n;
    if (length > BigInt(most)) throw refused('it has a header far longer than its tensors need');
    const bytes = Buffer.alloc(Number(length));
    await this.fill(bytes, 0, fileBytes);
    this.whole.update(bytes);
    return bytes;
  }

  async tensor({ name, shape, dtype, start, end }: StoredTensor, scale: StoredTensor | undefined): Promise<TensorRecord> {
    const own = openDigest(algorithmOf(this.named));
    const perElement = DTYPE_BYTES[dtype];
    const rangeScale = dtype === 'I8' && scale !== undefined ? await this.scales(shape, scale) : undefined;
    let squares = 0;
    for (let position = start; position < end; position += PIECE_BYTES) {
      const bytes = this.piece.subarray(0, Math.min(PIECE_BYTES, end - position));
      await this.fill(bytes, position, end);
      own.update(bytes);
      this.whole.update(bytes);
      const from = (position - start) / perElement;
      squares += squaresOf(this.decode(bytes, dtype, bytes.length / perElement, rangeScale && { ...rangeScale, from }));
    }
    const norm = Number.isFinite(squares) ? Math.sqrt(squares) : null;
    return { name, shape, dtype, bytes: end - start, norm, digest: own.finish() };
  }

  finish(): Digest {
    return this.whole.finish();
  }

  private decode(bytes: Uint8Array, dtype: TensorDtype, count: number, scale: RangeScale | undefined): Float32Array {
    // Little-endian bytes are the floats themselves, and a piece begins where a buffer does.
    if (dtype === 'F32') return new Float32Array(bytes.buffer, bytes.byteOffset, count);
    if (this.values.length < count) this.values = new Float32Array(count);
    const values = this.values.subarray(0, count);
    decodeRange(bytes, dtype, values, scale);
    return values;
  }

  /** They stand behind their tensor: read ahead, and once more in their turn. */
  private async scales(shape: readonly number[], { start, end, shape: channels }: StoredTensor): Promise<RangeScale> {
    const bytes = Buffer.allocUnsafeSlow(end - start);
    await this.fill(bytes, start, end);
    const scales = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    return { scales, elementsPerScale: elementCount(shape) / Math.max(1, elementCount(channels)), from: 0 };
  }

  private async fill(bytes: Uint8Array, position: number, end: number): Promise<void> {
    if (position + bytes.length > end) throw refused('as a weight file it is malformed (shorter than it says)');
    for (let filled = 0; filled < bytes.length;) {
      const { bytesRead } = await this.file.read(bytes, filled, bytes.length - filled, position + filled);
      if (bytesRead === 0) throw refused('its file became shorter while it was read');
      filled += bytesRead;
    }
  }
}

function squaresOf(values: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i] as number) * (values[i] as number);
  return sum;
}
