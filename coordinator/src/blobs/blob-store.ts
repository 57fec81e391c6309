import type { Digest, DigestAlgorithm } from '@consilium/shared/kernel';

/** Immutable files named by their digest. Every method throws DISK_FULL or STORAGE_FAILED when the storage does. */
export interface BlobStore {
  /** Stores the parts; the blob exists only once it is whole and on disk. */
  write(parts: AsyncIterable<Uint8Array>, algorithm?: DigestAlgorithm): Promise<{ digest: Digest; bytes: number }>;

  /** Takes a file whose digest the caller has checked. The file itself stays where it is; doing it twice is harmless. */
  adopt(path: string, digest: Digest): Promise<void>;

  /**
   * Takes a file that is whole, on disk (fsync) and whose digest the caller knows, and takes it away from where it is: no byte is
   * copied where that can be avoided. Placing what is there already is harmless.
   */
  place(path: string, digest: Digest): Promise<void>;

  /** Forgets a blob; gone already is fine. Whoever calls answers for nothing needing it any more. */
  remove(digest: Digest): Promise<void>;

  has(digest: Digest): Promise<boolean>;

  /** A local file with the blob's bytes, to be read only; NOT_FOUND when there is none. */
  localPath(digest: Digest): Promise<string>;
}
