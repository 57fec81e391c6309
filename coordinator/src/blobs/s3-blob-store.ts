import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, link, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  algorithmOf,
  type Digest,
  type DigestAlgorithm,
  digestOfFile,
  digitsOf,
  FederationError,
} from '@consilium/shared/kernel';
import { writeFileWhole } from '@consilium/shared/weights';
import type { BlobStore } from './blob-store.js';
import { BlobUses } from './blob-uses.js';
import { FilesystemBlobStore } from './filesystem-blob-store.js';
import { type S3Bucket } from './s3-bucket.js';

/**
 * Blobs in an object store, with the files that were used last on this machine's disk as well: rounds are folded from files. What the
 * store promises to hold is in the bucket; the disk only saves the way there.
 */
export class S3BlobStore implements BlobStore {
  private readonly disk: FilesystemBlobStore;
  /** Downloads under way: who asks for the same blob waits for the same download. */
  private readonly fetching = new Map<Digest, Promise<string>>();
  private readonly uses: BlobUses;

  /** @param mostBytes what the files on this machine's disk may take; more for as long as they are in use. */
  constructor(
    private readonly bucket: S3Bucket,
    private readonly folder: string,
    mostBytes: number,
  ) {
    this.disk = new FilesystemBlobStore(folder);
    this.uses = new BlobUses(mostBytes, (digest) => this.disk.remove(digest));
  }

  /** Sweeps what a crash left half-written, and learns which files are on this disk. Call once, before use. */
  async open(): Promise<void> {
    await this.bucket.requireUsable();
    await this.disk.sweepPartials();
    for (const { digest, bytes, usedAtMs } of await this.disk.list()) this.uses.note(digest, bytes, usedAtMs);
    await this.uses.thin();
  }

  async write(parts: AsyncIterable<Uint8Array>, algorithm?: DigestAlgorithm): Promise<{ digest: Digest; bytes: number }> {
    return this.withPartial(async (temporary) => {
      const digest = await writeFileWhole(temporary, parts, algorithm);
      const { size } = await stat(temporary);
      await this.keep(temporary, digest);
      return { digest, bytes: size };
    });
  }

  async adopt(path: string, digest: Digest): Promise<void> {
    await this.withPartial(async (temporary) => {
      await link(path, temporary).catch(() => copyFile(path, temporary, constants.COPYFILE_FICLONE));
      await this.keep(temporary, digest);
    });
  }

  async place(path: string, digest: Digest): Promise<void> {
    try {
      await this.keep(path, digest);
    } catch (cause) {
      throw FederationError.from(cause, 'STORAGE_FAILED');
    }
  }

  async remove(digest: Digest): Promise<void> {
    await this.bucket.remove(keyOf(digest));
    this.uses.forget(digest);
    await this.disk.remove(digest);
  }

  async has(digest: Digest): Promise<boolean> {
    return (await this.disk.has(digest)) || this.bucket.has(keyOf(digest));
  }

  async localPath(digest: Digest): Promise<string> {
    if (await this.disk.has(digest)) {
      this.uses.touch(digest);
      return this.disk.localPath(digest);
    }
    const underWay = this.fetching.get(digest) ?? this.fetch(digest).finally(() => this.fetching.delete(digest));
    this.fetching.set(digest, underWay);
    return underWay;
  }

  close(): void {
    this.bucket.close();
  }

  /** First the bucket, then the disk: a file on the disk is one that the bucket has. */
  private async keep(path: string, digest: Digest): Promise<void> {
    const { size } = await stat(path);
    await this.bucket.put(keyOf(digest), path, size);
    await this.disk.place(path, digest);
    await this.noteUse(digest, size);
  }

  private async fetch(digest: Digest): Promise<string> {
    return this.withPartial(async (temporary) => {
      if (!(await this.bucket.get(keyOf(digest), temporary))) {
        throw new FederationError('NOT_FOUND', 'there is no weight file with this digest', { details: { digest } });
      }
      if ((await digestOfFile(temporary, algorithmOf(digest))) !== digest) {
        throw new FederationError('STORAGE_FAILED', 'the object store holds other bytes than the digest names', {
          details: { digest },
          remedy: 'Restore this object from a backup: coordinator backup keeps every weight file under its digest.',
        });
      }
      const { size } = await stat(temporary);
      await this.disk.place(temporary, digest);
      await this.noteUse(digest, size);
      return this.disk.localPath(digest);
    });
  }

  private async noteUse(digest: Digest, bytes: number): Promise<void> {
    this.uses.note(digest, bytes, Date.now());
    await this.uses.thin();
  }

  private async withPartial<T>(work: (temporary: string) => Promise<T>): Promise<T> {
    const temporary = join(this.folder, `blob_${randomBytes(10).toString('hex')}.partial`);
    try {
      return await work(temporary);
    } catch (cause) {
      throw FederationError.from(cause, 'STORAGE_FAILED');
    } finally {
      await rm(temporary, { force: true });
    }
  }
}

/** "sha256/ab/ab12…": the digits' first two spread the keys. */
function keyOf(digest: Digest): string {
  const digits = digitsOf(digest);
  return `${algorithmOf(digest)}/${digits.slice(0, 2)}/${digits}`;
}
