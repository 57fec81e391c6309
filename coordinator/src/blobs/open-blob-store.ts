import { FederationError, formatBytes } from '@consilium/shared/kernel';
import type { BlobSettings } from '../config/blob-settings.js';
import type { HomeFolder } from '../home/home-folder.js';
import type { BlobStore } from './blob-store.js';
import { FilesystemBlobStore } from './filesystem-blob-store.js';
import { S3BlobStore } from './s3-blob-store.js';
import { S3Bucket } from './s3-bucket.js';

export interface OpenBlobStore {
  readonly store: BlobStore;
  readonly close: () => void;
}

/** The weight files where the settings say: below the home folder, or in an object store. Throws CONFIG_INVALID when that cannot be used. */
export async function openBlobStore(
  { bucket, cacheBytes }: BlobSettings,
  home: HomeFolder,
  say: (line: string) => void,
): Promise<OpenBlobStore> {
  const onDisk = new FilesystemBlobStore(home.blobs);
  await onDisk.sweepPartials();
  if (bucket === undefined) return { store: onDisk, close: () => undefined };
  const store = new S3BlobStore(new S3Bucket(bucket), home.blobCache, cacheBytes);
  try {
    await store.open();
    await moveInto(store, onDisk, say);
  } catch (cause) {
    store.close();
    throw FederationError.from(cause);
  }
  return { store, close: () => store.close() };
}

/** What a coordinator wrote before it was told of the bucket. A file goes from the disk only when the bucket has it. */
async function moveInto(store: S3BlobStore, onDisk: FilesystemBlobStore, say: (line: string) => void): Promise<void> {
  const files = await onDisk.list();
  if (files.length === 0) return;
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  say(`moving ${files.length} weight files (${formatBytes(bytes)}) into the object store`);
  for (const { digest } of files) await store.place(await onDisk.localPath(digest), digest);
  say('the weight files are in the object store');
}
