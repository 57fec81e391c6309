import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { type Digest, type DigestAlgorithm, FederationError, openDigest } from '@consilium/shared/kernel';
import type { TensorDtype } from './manifest.js';
import { decodeElements, DTYPE_BYTES, encodeTensorElements } from './number-format.js';
import {
  decodeHeader,
  decodeHeaderLength,
  encodeHeader,
  malformed,
  type SafetensorsHeader,
  type StoredTensor,
} from './safetensors-header.js';
import type { WeightSet } from './weight-set.js';

export interface FileOptions {
  /** Free text pairs kept in the header (`__metadata__`); never anything about a patient. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** What names the file; SHA-256 by default. */
  readonly digest?: DigestAlgorithm | undefined;
}

export interface WriteOptions extends FileOptions {
  readonly dtype?: TensorDtype;
}

/** A tensor as a file holds it: little-endian bytes in row-major order. */
export interface EncodedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: TensorDtype;
  readonly bytes: Uint8Array;
}

/**
 * Writes the tensors in the given order and returns the file's digest and size. The file appears under its name only when it
 * is whole and on disk (temporary name, fsync, rename), so a crash never leaves half a file behind.
 */
export async function writeSafetensors(
  path: string,
  weights: WeightSet,
  options: WriteOptions = {},
): Promise<{ digest: Digest; bytes: number }> {
  const dtype = options.dtype ?? 'F32';
  const entries = weights.map(({ name, shape }) => ({ name, shape, dtype }));
  const { bytes: head, header } = encodeHeader(entries, options.metadata ?? {});
  const parts = function* (): Generator<Uint8Array> {
    yield head;
    for (const tensor of weights) yield encodeTensorElements(tensor, dtype);
  };
  return { digest: await writeFileWhole(path, parts(), options.digest), bytes: header.fileBytes };
}

/** As {@link writeSafetensors}, of tensors that have their bytes already, each in a number format of its own. */
export async function writeEncoded(
  path: string,
  tensors: readonly EncodedTensor[],
  { metadata = {}, digest }: FileOptions = {},
): Promise<{ digest: Digest; bytes: number }> {
  const { bytes: head, header } = encodeHeader(tensors, metadata);
  const parts = [head, ...tensors.map(({ bytes }) => bytes)];
  return { digest: await writeFileWhole(path, parts, digest), bytes: header.fileBytes };
}

/** Writes the parts to a temporary neighbour, flushes it, renames it into place and returns the digest of the content. */
export async function writeFileWhole(
  path: string,
  parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  algorithm?: DigestAlgorithm,
): Promise<Digest> {
  const temporary = `${path}.${process.pid}.partial`;
  try {
    const digest = await writeFlushed(temporary, parts, algorithm);
    await rename(temporary, path);
    return digest;
  } catch (cause) {
    await rm(temporary, { force: true });
    throw FederationError.from(cause, 'STORAGE_FAILED');
  }
}

/** Writes the parts to the file itself, flushes it and returns the digest of the content; half a file may be left by an error. */
export async function writeFlushed(
  path: string,
  parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  algorithm?: DigestAlgorithm,
  mode?: number,
): Promise<Digest> {
  const running = openDigest(algorithm);
  const file = await open(path, 'w', mode);
  try {
    for await (const part of parts) {
      running.update(part);
      await file.writeFile(part);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return running.finish();
}

/** An open weight file whose tensors can be read whole or in ranges, so that a fold never holds a model in memory. */
export class SafetensorsFile {
  private readonly byName: ReadonlyMap<string, StoredTensor>;

  private constructor(
    private readonly file: FileHandle,
    readonly header: SafetensorsHeader,
  ) {
    this.byName = new Map(header.tensors.map((tensor) => [tensor.name, tensor]));
  }

  /** Throws WEIGHTS_MALFORMED unless the header is sound and the file has exactly the bytes that it implies. */
  static async open(path: string): Promise<SafetensorsFile> {
    const file = await open(path, 'r').catch((cause: unknown) => {
      throw new FederationError('NOT_FOUND', 'the weight file cannot be opened', { cause, remedy: `Check that ${path} exists.` });
    });
    try {
      const { size } = await file.stat();
      const length = decodeHeaderLength(await readBytes(file, 0, Math.min(8, size)), size);
      return new SafetensorsFile(file, decodeHeader(await readBytes(file, 8, length), size));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** For positioned reads by others; valid until the file is closed. */
  get descriptor(): number {
    return this.file.fd;
  }

  tensor(name: string): StoredTensor {
    const tensor = this.byName.get(name);
    if (tensor === undefined) throw malformed(`lacks the tensor ${name}`);
    return tensor;
  }

  /**
   * Elements [from, to) of a tensor as 32-bit floats; the whole tensor by default. When a scratch array is given and large
   * enough, the result may be a view of it: it is overwritten by the next read with the same scratch.
   */
  async read(name: string, from = 0, to = Number.POSITIVE_INFINITY, scratch?: Float32Array): Promise<Float32Array> {
    const { start, end, dtype } = this.tensor(name);
    const elementBytes = DTYPE_BYTES[dtype];
    const first = Math.min(start + from * elementBytes, end);
    const last = Math.min(to === Number.POSITIVE_INFINITY ? end : start + to * elementBytes, end);
    if (dtype !== 'F32') return decodeElements(await readBytes(this.file, first, last - first), dtype);
    // Little-endian bytes are the floats themselves: they are read straight into their place.
    const count = (last - first) / elementBytes;
    const values = scratch !== undefined && scratch.length >= count ? scratch.subarray(0, count) : new Float32Array(count);
    await fillBytes(this.file, first, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    return values;
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}

/** The whole file in memory, in the file's own order. */
export async function readSafetensors(
  path: string,
): Promise<{ weights: WeightSet; metadata: Readonly<Record<string, string>>; header: SafetensorsHeader }> {
  const file = await SafetensorsFile.open(path);
  try {
    const weights = [];
    for (const { name, shape } of file.header.tensors) weights.push({ name, shape, values: await file.read(name) });
    return { weights, metadata: file.header.metadata, header: file.header };
  } finally {
    await file.close();
  }
}

async function readBytes(file: FileHandle, position: number, length: number): Promise<Uint8Array> {
  return fillBytes(file, position, new Uint8Array(length));
}

async function fillBytes(file: FileHandle, position: number, bytes: Uint8Array): Promise<Uint8Array> {
  let filled = 0;
  while (filled < bytes.length) {
    const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, position + filled);
    if (bytesRead === 0) throw malformed('ends before its last tensor');
    filled += bytesRead;
  }
  return bytes;
}
