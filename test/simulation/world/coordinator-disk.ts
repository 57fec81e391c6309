import { algorithmOf, type Digest, digestOfBytes, type DigestAlgorithm, FederationError } from '@consilium/shared/kernel';
import type { BlobStore } from '../../../coordinator/src/blobs/blob-store.js';
import { MemoryDatabase } from '../records/memory-database.js';
import type { Life } from './life.js';

/** An upload on its way in, as it lies in the spool. */
export interface SpooledBytes {
  readonly participationId: string;
  readonly size: number;
  readonly path: string;
  readonly algorithm: DigestAlgorithm;
  received: Buffer;
}

/** What a coordinator finds again after a crash. */
export class CoordinatorDisk {
  readonly records = new MemoryDatabase();
  readonly blobs = new Map<Digest, Buffer>();
  /** What was removed, for checkers alone: what a version was made of can be told without its file. */
  private readonly removed = new Map<Digest, Buffer>();
  private readonly removalListeners: ((digest: Digest) => void)[] = [];
  readonly uploads = new Map<string, SpooledBytes>();
  /** Files on their way to become blobs. */
  readonly drafts = new Map<string, Buffer>();

  /** The bytes at a path that the blob store or the spool gave out; undefined where there are none. */
  at(path: string): Buffer | undefined {
    return path.startsWith(BLOB_PATH) ? this.blobs.get(path.slice(BLOB_PATH.length) as Digest) : this.fileAt(path);
  }

  /** The bytes of a blob that is or was there; empty where there never was one. */
  contentOf(digest: Digest): Buffer {
    return this.blobs.get(digest) ?? this.removed.get(digest) ?? Buffer.alloc(0);
  }

  removeBlob(digest: Digest): void {
    const content = this.blobs.get(digest);
    if (content === undefined) return;
    this.removed.set(digest, content);
    this.blobs.delete(digest);
    for (const listener of this.removalListeners) listener(digest);
  }

  /** Called with each blob that goes. */
  onRemoval(listener: (digest: Digest) => void): void {
    this.removalListeners.push(listener);
  }

  private fileAt(path: string): Buffer | undefined {
    return this.drafts.get(path) ?? [...this.uploads.values()].find((upload) => upload.path === path)?.received;
  }
}

const BLOB_PATH = 'blob ';
/** Of a file's bytes a world keeps the beginning: enough to tell files apart, and whole where the world made them itself. */
const KEPT_BYTES = 2048;
const WRITE_MS = 20;

/** The digest of the blob at a path. */
export function digestAt(path: string): Digest {
  return path.slice(BLOB_PATH.length) as Digest;
}

/** Blobs in memory that survive the coordinator; every write takes a while, and the coordinator may die before or after it. */
export class SimulatedBlobs implements BlobStore {
  constructor(
    private readonly disk: CoordinatorDisk,
    private readonly life: Life,
  ) {}

  async write(parts: AsyncIterable<Uint8Array>, algorithm?: DigestAlgorithm): Promise<{ digest: Digest; bytes: number }> {
    const kept: Uint8Array[] = [];
    let bytes = 0;
    for await (const part of parts) {
      kept.push(part);
      bytes += part.length;
      if (bytes >= KEPT_BYTES) break;
    }
    const content = Buffer.concat(kept);
    const digest = digestOfBytes(content, algorithm);
    await this.life.write('blob', WRITE_MS, () => this.disk.blobs.set(digest, content));
    return { digest, bytes: content.length };
  }

  async adopt(path: string, digest: Digest): Promise<void> {
    await this.life.write('blob', WRITE_MS, () => {
      const content = this.disk.at(path);
      if (content === undefined) throw new FederationError('STORAGE_FAILED', 'the file to adopt is gone');
      if (digestOfBytes(content, algorithmOf(digest)) !== digest) throw new Error('whoever adopts a file has checked it');
      this.disk.blobs.set(digest, content);
    });
  }

  async place(path: string, digest: Digest): Promise<void> {
    if (this.disk.at(path) === undefined && this.disk.blobs.has(digest)) return;
    await this.adopt(path, digest);
    this.disk.drafts.delete(path);
  }

  async remove(digest: Digest): Promise<void> {
    await this.life.write('removed blob', WRITE_MS, () => this.disk.removeBlob(digest));
  }

  async has(digest: Digest): Promise<boolean> {
    return this.disk.blobs.has(digest);
  }

  async localPath(digest: Digest): Promise<string> {
    if (this.disk.blobs.has(digest)) return `${BLOB_PATH}${digest}`;
    throw new FederationError('NOT_FOUND', 'there is no weight file with this digest', { details: { digest } });
  }
}
