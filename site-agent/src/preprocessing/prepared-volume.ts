import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOfJson, FederationError, newId, shortDigest, type Digest } from '@consilium/shared/kernel';
import { readNiftiVolume } from '../volumes/nifti/nifti-volume.js';
import type { Modality } from '../volumes/volume.js';
import { unsuitable } from '../volumes/volume-fault.js';
import type { IndexedVolume } from '../collection/volume-index.js';
import { CT_WINDOW_HU, MR_PERCENTILES, normaliseIntensity } from './intensity.js';

/** A volume ready to draw patches from: RAS+ order, native grid, intensities 0…1. Its voxels may be read by any thread. */
export interface PreparedVolume {
  readonly digest: Digest;
  readonly modality: Modality;
  readonly sizeVoxels: readonly [number, number, number];
  readonly spacingMm: readonly [number, number, number];
  /** Row-major [x][y][z], z fastest, over a SharedArrayBuffer. */
  readonly voxels: Float32Array;
}

/** Raise it when the same parameters would give other voxels. */
const PIPELINE_VERSION = 1;

/** Names everything the prepared voxels depend on but the file and its modality. */
export const PIPELINE_FINGERPRINT = digestOfJson({
  version: PIPELINE_VERSION,
  orientation: 'closest RAS+',
  grid: 'native',
  ctWindowHu: CT_WINDOW_HU,
  mrPercentiles: MR_PERCENTILES,
});

/**
 * The prepared form of an indexed volume: from the cache, or made from its file and cached. The cache may be deleted at any
 * time; a damaged entry is made again. Throws a volume error when the file no longer reads or has changed its size.
 */
export async function loadPreparedVolume(indexed: IndexedVolume, preparedFolder: string): Promise<PreparedVolume> {
  const { digest, modality, sizeVoxels, spacingMm } = indexed;
  const voxels = new Float32Array(new SharedArrayBuffer(4 * sizeVoxels[0] * sizeVoxels[1] * sizeVoxels[2]));
  const file = join(preparedFolder, cacheName(indexed));
  if (!(await readCached(file, voxels))) {
    await prepare(indexed, voxels);
    await writeCached(preparedFolder, file, voxels);
  }
  return { digest, modality, sizeVoxels, spacingMm, voxels };
}

function cacheName({ digest, modality }: IndexedVolume): string {
  return `${digest.slice('sha256:'.length)}-${modality}-${shortDigest(PIPELINE_FINGERPRINT)}.f32`;
}

async function prepare(indexed: IndexedVolume, voxels: Float32Array): Promise<void> {
  const volume = await readNiftiVolume(indexed.path);
  if (volume.sizeVoxels.some((side, axis) => side !== indexed.sizeVoxels[axis])) {
    throw unsuitable('the file has changed since it was indexed', 'Run "site-agent index" again.');
  }
  normaliseIntensity(volume, indexed.modality, voxels);
}

/** Fills the voxels from the cache; false when there is no entry or it is not whole. */
async function readCached(file: string, voxels: Float32Array): Promise<boolean> {
  const facts = await stat(file).catch(() => undefined);
  if (facts?.size !== voxels.byteLength) return false;
  let handle: FileHandle | undefined;
  try {
    handle = await open(file);
    await readWhole(handle, new Uint8Array(voxels.buffer));
    return true;
  } catch {
    return false;
  } finally {
    await handle?.close();
  }
}

// In pieces through ordinary memory: not every Node version reads into shared memory.
async function readWhole(handle: FileHandle, target: Uint8Array): Promise<void> {
  const piece = new Uint8Array(Math.min(target.length, 1 << 22));
  for (let position = 0; position < target.length;) {
    const { bytesRead } = await handle.read(piece, 0, Math.min(piece.length, target.length - position), position);
    if (bytesRead === 0) throw new FederationError('STORAGE_FAILED', 'the cache entry is cut short');
    target.set(piece.subarray(0, bytesRead), position);
    position += bytesRead;
  }
}

/** Whole or not at all: written aside, then renamed. A full disk is DISK_FULL. */
async function writeCached(folder: string, file: string, voxels: Float32Array): Promise<void> {
  const partial = `${file}.${newId('partial')}`;
  try {
    await mkdir(folder, { recursive: true });
    const handle = await open(partial, 'w');
    try {
      const bytes = new Uint8Array(voxels.buffer);
      for (let at = 0; at < bytes.length; at += 1 << 22) await handle.write(bytes.slice(at, at + (1 << 22)));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(partial, file);
  } catch (thrown) {
    await rm(partial, { force: true });
    throw FederationError.from(thrown, 'STORAGE_FAILED');
  }
}
