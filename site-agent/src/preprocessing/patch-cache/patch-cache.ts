import { type FileHandle, mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, errnoOf, FederationError, formatBytes, shortDigest } from '@consilium/shared/kernel';
import type { Modality } from '../../volumes/volume.js';
import { chunkLayout, HEADER_BYTES } from './chunk-layout.js';
import { decodeHeader, type EntryHeader } from './entry-header.js';
import { partialName, sweepPartials } from './partial-files.js';
import type { PreparedVolume } from './prepared-volume.js';
import { writeEntry } from './write-entry.js';

/** What decides the voxels of an entry. */
export interface EntryKey {
  readonly digest: Digest;
  readonly modality: Modality;
  readonly fingerprint: Digest;
}

const SUFFIX = '.voxels';

interface StoredEntry {
  readonly name: string;
  readonly bytes: number;
  readonly usedMs: number;
}

/**
 * Prepared volumes as files of one folder, named by volume, modality and preparation. Any process may use the folder at any
 * time: an entry is whole or absent, and equal keys give equal bytes. Files may be deleted by hand.
 */
export class PatchCache {
  private readonly inUse = new Set<string>();

  private constructor(
    readonly folder: string,
    private readonly limitBytes: number,
  ) {}

  /** Makes the folder and removes what killed processes left half-written. Beyond the limit, entries unused for longest go. */
  static async open(folder: string, limitBytes: number = Infinity): Promise<PatchCache> {
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await sweepPartials(folder);
    } catch (thrown) {
      throw FederationError.from(thrown, 'STORAGE_FAILED');
    }
    return new PatchCache(folder, limitBytes);
  }

  /** The entry, marked as used now and kept from eviction by this process; undefined when there is none or it is damaged. */
  async find(key: EntryKey): Promise<PreparedVolume | undefined> {
    const name = entryName(key);
    const header = await readHeader(join(this.folder, name));
    if (header === undefined || !isOf(header, key)) return undefined;
    const now = new Date();
    await utimes(join(this.folder, name), now, now).catch(() => undefined);
    this.inUse.add(name);
    return this.handle(name, header);
  }

  /** Writes an entry; voxels are row-major. DISK_FULL or STORAGE_FAILED leave the folder as it was. */
  async store(header: EntryHeader, voxels: Float32Array): Promise<PreparedVolume> {
    const name = entryName(header);
    const partial = join(this.folder, partialName(name));
    this.inUse.add(name);
    try {
      await this.makeRoom(chunkLayout(header.sizeVoxels, header.elementType).fileBytes, name);
      await writeEntry(partial, header, voxels);
      await rename(partial, join(this.folder, name));
      await syncFolder(this.folder);
    } catch (thrown) {
      await rm(partial, { force: true });
      throw FederationError.from(thrown, 'STORAGE_FAILED');
    }
    return this.handle(name, header);
  }

  /** What all entries take on disk. */
  async usedBytes(): Promise<number> {
    return (await this.entries()).reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Removes every entry of these volumes; returns how many there were. Readers that have one open keep reading. */
  async drop(digests: readonly Digest[]): Promise<number> {
    const hexes = new Set(digests.map(hexOf));
    const gone = (await this.entries()).filter(({ name }) => hexes.has(name.split('-')[0] ?? ''));
    await Promise.all(gone.map(({ name }) => rm(join(this.folder, name), { force: true })));
    return gone.length;
  }

  private handle(name: string, header: EntryHeader): PreparedVolume {
    const { digest, modality, sizeVoxels, spacingMm, elementType, airThreshold, airValue } = header;
    return { digest, modality, sizeVoxels, spacingMm, elementType, airThreshold, airValue, file: join(this.folder, name) };
  }

  /** Removes entries that were not used for longest until the limit holds; those that this process uses stay. */
  private async makeRoom(bytes: number, beside: string): Promise<void> {
    if (this.limitBytes === Infinity) return;
    const others = (await this.entries()).filter(({ name }) => name !== beside).sort((a, b) => a.usedMs - b.usedMs);
    let total = others.reduce((sum, entry) => sum + entry.bytes, bytes);
    for (const { name, bytes: freed } of others) {
      if (total <= this.limitBytes) return;
      if (this.inUse.has(name)) continue;
      await rm(join(this.folder, name), { force: true });
      total -= freed;
    }
    if (total > this.limitBytes) throw limitTooLow(total, this.limitBytes);
  }

  private async entries(): Promise<StoredEntry[]> {
    const names = (await readdir(this.folder)).filter((name) => name.endsWith(SUFFIX));
    const entries = names.map(async (name) => {
      const facts = await stat(join(this.folder, name)).catch(() => undefined);
      return facts === undefined ? [] : [{ name, bytes: facts.size, usedMs: facts.mtimeMs }];
    });
    return (await Promise.all(entries)).flat();
  }
}

/** Removes every prepared form of these volumes from a cache folder, which may be missing; returns how many files went. */
export async function dropPrepared(folder: string, digests: readonly Digest[]): Promise<number> {
  return (await PatchCache.open(folder)).drop(digests);
}

function entryName({ digest, modality, fingerprint }: EntryKey): string {
  return `${hexOf(digest)}-${modality}-${shortDigest(fingerprint)}${SUFFIX}`;
}

function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length);
}

function isOf(header: EntryHeader, key: EntryKey): boolean {
  return header.digest === key.digest && header.modality === key.modality && header.fingerprint === key.fingerprint;
}

/** The header of a file whose length agrees with it; undefined for anything else, which is then made again. */
async function readHeader(file: string): Promise<EntryHeader | undefined> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file, 'r');
    const page = Buffer.alloc(HEADER_BYTES);
    await handle.read(page, 0, HEADER_BYTES, 0);
    const header = decodeHeader(page);
    if (header === undefined) return undefined;
    const { size } = await handle.stat();
    return size === chunkLayout(header.sizeVoxels, header.elementType).fileBytes ? header : undefined;
  } catch {
    return undefined;
  } finally {
    await handle?.close();
  }
}

/** Makes a rename last through a loss of power, where the system lets folders be synchronised. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } catch (thrown) {
    if (errnoOf(thrown) !== 'EINVAL') throw thrown;
  } finally {
    await handle.close();
  }
}

function limitTooLow(neededBytes: number, limitBytes: number): FederationError {
  return new FederationError(
    'STORAGE_FAILED',
    `the prepared volumes need ${formatBytes(neededBytes)}, more than the limit of ${formatBytes(limitBytes)}`,
    { retryable: false, remedy: 'Raise cacheLimit in site.yaml, or let the site hold fewer volumes.' },
  );
}
