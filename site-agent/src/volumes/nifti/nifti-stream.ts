import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { LARGEST_HEADER_BYTES, type NiftiHeader, parseNiftiHeader } from './nifti-header.js';
import { pairedImageFile } from './nifti-pair.js';
import { unreadable, unsuitable } from '../volume-fault.js';

/** Deflate cannot compress better than this, so a file can be seen to be too short before memory is taken. */
const BEST_GZIP_RATIO = 1032;
/** What may follow the voxels; a stream that goes on beyond is cut off. */
const TRAILING_BYTES_ALLOWED = 1 << 20;
const MAXIMUM_STORED_BYTES = 2 ** 31;

/** The bytes of the voxels as stored, in a buffer of their own. */
export interface StoredVoxels {
  readonly header: NiftiHeader;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Reads header and voxel bytes, compressed or not. Memory is bounded by what the checked header describes. */
export async function readStoredVoxels(path: string): Promise<StoredVoxels> {
  const source = await inspect(path);
  const header = parseNiftiHeader(await readStart(source));
  const imageSource = header.pair ? await inspect(await pairedImageFile(path)) : source;
  return { header, bytes: await readVoxelBytes(imageSource, header) };
}

interface ByteSource {
  readonly path: string;
  readonly bytes: number;
  readonly compressed: boolean;
}

// A pipe or a device would hang or never end: only regular files are opened.
async function inspect(path: string): Promise<ByteSource> {
  const facts = await stat(path);
  if (!facts.isFile()) throw unreadable('not a regular file');
  if (facts.size === 0) throw unreadable('the file is empty');
  const file = await open(path);
  try {
    const start = new Uint8Array(2);
    await file.read(start, 0, 2, 0);
    return { path, bytes: facts.size, compressed: start[0] === 0x1f && start[1] === 0x8b };
  } finally {
    await file.close();
  }
}

/** Chunks of the (uncompressed) content; the consumer may stop at any time. */
async function* contentOf({ path, compressed }: ByteSource): AsyncGenerator<Uint8Array> {
  const file = createReadStream(path, { highWaterMark: 1 << 18 });
  if (!compressed) {
    yield* file as AsyncIterable<Uint8Array>;
    return;
  }
  const gunzip = createGunzip({ chunkSize: 1 << 18 });
  file.on('error', (error) => gunzip.destroy(error));
  file.pipe(gunzip);
  try {
    yield* gunzip as AsyncIterable<Uint8Array>;
  } finally {
    file.destroy();
    gunzip.destroy();
  }
}

async function readStart(source: ByteSource): Promise<Uint8Array> {
  const start = new Uint8Array(LARGEST_HEADER_BYTES);
  let length = 0;
  for await (const chunk of contentOf(source)) {
    const taken = chunk.subarray(0, LARGEST_HEADER_BYTES - length);
    start.set(taken, length);
    length += taken.length;
    if (length === LARGEST_HEADER_BYTES) break;
  }
  return start.subarray(0, length);
}

async function readVoxelBytes(source: ByteSource, header: NiftiHeader): Promise<Uint8Array<ArrayBuffer>> {
  const [x, y, z] = header.sizeVoxels;
  const wanted = x * y * z * header.datatype.bytes;
  const begin = header.voxelOffsetBytes;
  if (wanted > MAXIMUM_STORED_BYTES) throw unsuitable(`its voxels take ${wanted} bytes, more than ${MAXIMUM_STORED_BYTES}`);
  if (source.bytes * (source.compressed ? BEST_GZIP_RATIO : 1) < begin + wanted) throw cutShort();
  const bytes = new Uint8Array(wanted);
  let position = 0;
  for await (const chunk of contentOf(source)) {
    copyOverlap(chunk, position, bytes, begin);
    position += chunk.length;
    if (position > begin + wanted + TRAILING_BYTES_ALLOWED) {
      if (source.compressed) throw unreadable('much more data than its header describes');
      break;
    }
  }
  if (position < begin + wanted) throw cutShort();
  return bytes;
}

function copyOverlap(chunk: Uint8Array, position: number, target: Uint8Array, begin: number): void {
  const from = Math.max(0, begin - position);
  const to = Math.min(chunk.length, begin + target.length - position);
  if (to > from) target.set(chunk.subarray(from, to), position + from - begin);
}

function cutShort(): Error {
  return unreadable('the voxel data is cut short');
}
