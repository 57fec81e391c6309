import { constants } from 'node:fs';
import { copyFile, link, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import {
  algorithmOf,
  DIGEST_ALGORITHMS,
  type Digest,
  type DigestAlgorithm,
  digitsOf,
  errnoOf,
  FederationError,
  isDigest,
  newId,
} from '@consilium/shared/kernel';
import { writeFileWhole } from '@consilium/shared/weights';
import type { BlobStore } from './blob-store.js';

const PARTIAL = '.partial';

export interface StoredFile {
  readonly digest: Digest;
  readonly bytes: number;
  readonly usedAtMs: number;
}

/** Blobs as files: `<folder>/<first 2 digits>/<64 digits>` for SHA-256, the same below `<folder>/blake3` for BLAKE3. */
export class FilesystemBlobStore implements BlobStore {
  constructor(private readonly folder: string) {}

  /** Removes what a crash left half-written. Call once, before use. */
  async sweepPartials(): Promise<void> {
    for (const name of await readdir(this.folder)) {
      if (name.endsWith(PARTIAL)) await rm(join(this.folder, name), { force: true });
    }
  }

  async write(parts: AsyncIterable<Uint8Array>, algorithm?: DigestAlgorithm): Promise<{ digest: Digest; bytes: number }> {
    const temporary = join(this.folder, `${newId('blob')}${PARTIAL}`);
    try {
      const digest = await writeFileWhole(temporary, parts, algorithm);
      const { size } = await stat(temporary);
      await this.moveIn(temporary, digest);
      return { digest, bytes: size };
    } catch (cause) {
      throw FederationError.from(cause, 'STORAGE_FAILED');
    } finally {
      await rm(temporary, { force: true });
    }
  }

  async adopt(path: string, digest: Digest): Promise<void> {
    const temporary = join(this.folder, `${newId('blob')}${PARTIAL}`);
    try {
      await link(path, temporary).catch(() => copyFile(path, temporary, constants.COPYFILE_FICLONE));
      await flush(temporary);
      await this.moveIn(temporary, digest);
    } catch (cause) {
      throw FederationError.from(cause, 'STORAGE_FAILED');
    } finally {
      await rm(temporary, { force: true });
    }
  }

  async place(path: string, digest: Digest): Promise<void> {
    try {
      await this.moveIn(path, digest);
    } catch (cause) {
      if (errnoOf(cause) !== 'EXDEV') throw FederationError.from(cause, 'STORAGE_FAILED');
      // It lies on another file system.
      await this.adopt(path, digest);
      await rm(path, { force: true });
    }
  }

  async remove(digest: Digest): Promise<void> {
    try {
      await rm(this.pathOf(digest), { force: true });
    } catch (cause) {
      throw FederationError.from(cause, 'STORAGE_FAILED');
    }
  }

  async has(digest: Digest): Promise<boolean> {
    return stat(this.pathOf(digest)).then(
      () => true,
      () => false,
    );
  }

  async localPath(digest: Digest): Promise<string> {
    const path = this.pathOf(digest);
    if (await this.has(digest)) return path;
    throw new FederationError('NOT_FOUND', 'there is no weight file with this digest', { details: { digest } });
  }

  /** What is here, the longest unused first. */
  async list(): Promise<StoredFile[]> {
    const files: StoredFile[] = [];
    for (const algorithm of DIGEST_ALGORITHMS) {
      const folder = this.folderOf(algorithm);
      for (const name of await readdir(folder, { recursive: true }).catch(() => [])) {
        const digest = `${algorithm}:${basename(name)}`;
        if (!isDigest(digest) || name !== join(digitsOf(digest).slice(0, 2), digitsOf(digest))) continue;
        const { size, atimeMs, mtimeMs } = await stat(join(folder, name));
        files.push({ digest, bytes: size, usedAtMs: Math.max(atimeMs, mtimeMs) });
      }
    }
    return files.sort((a, b) => a.usedAtMs - b.usedAtMs);
  }

  private async moveIn(temporary: string, digest: Digest): Promise<void> {
    const path = this.pathOf(digest);
    await mkdir(dirname(path), { recursive: true });
    await rename(temporary, path);
    await flush(dirname(path));
  }

  private pathOf(digest: Digest): string {
    const name = digitsOf(digest);
    return join(this.folderOf(algorithmOf(digest)), name.slice(0, 2), name);
  }

  private folderOf(algorithm: DigestAlgorithm): string {
    return algorithm === 'sha256' ? this.folder : join(this.folder, algorithm);
  }
}

async function flush(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
