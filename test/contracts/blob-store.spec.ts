import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DIGEST_ALGORITHMS, digestOfBytes } from '../../shared/src/kernel/index.js';
import type { BlobStore } from '../../coordinator/src/blobs/blob-store.js';
import { FilesystemBlobStore } from '../../coordinator/src/blobs/filesystem-blob-store.js';
import { S3BlobStore } from '../../coordinator/src/blobs/s3-blob-store.js';
import { S3Bucket } from '../../coordinator/src/blobs/s3-bucket.js';
import { CuttingProxy } from '../fixtures/cutting-proxy.js';
import { describeWithObjectStore } from '../fixtures/start-object-store.js';

async function* parts(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

/** What any form of the port promises. `open` gives the same store again for the same folder, as after a restart. */
function keepsItsPromises(open: (folder: string) => Promise<BlobStore>): void {
  let folder: string;
  let outside: string;
  let blobs: BlobStore;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'blobs-'));
    outside = await mkdtemp(join(tmpdir(), 'files-'));
    blobs = await open(folder);
  });

  afterEach(() => Promise.all([folder, outside].map((path) => rm(path, { recursive: true }))));

  const file = async (text: string): Promise<string> => {
    const path = join(outside, 'file');
    await writeFile(path, text);
    return path;
  };
  const textOf = async (text: string, algorithm: (typeof DIGEST_ALGORITHMS)[number]): Promise<string> =>
    readFile(await blobs.localPath(digestOfBytes(text, algorithm)), 'utf8');

  it.each(DIGEST_ALGORITHMS)('names by %s what it writes, and keeps it', async (algorithm) => {
    const { digest, bytes } = await blobs.write(parts('ab', 'c'), algorithm);
    expect([digest, bytes]).toEqual([digestOfBytes('abc', algorithm), 3]);
    blobs = await open(folder);
    expect(await textOf('abc', algorithm)).toBe('abc');
  });

  it('keeps nothing of a write that breaks off, and says when the disk is full', async () => {
    const broken = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from('half');
      throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
    };
    await expect(blobs.write(broken())).rejects.toMatchObject({ code: 'DISK_FULL' });
    expect(await blobs.has(digestOfBytes('half'))).toBe(false);
  });

  it.each(DIGEST_ALGORITHMS)('adopts a file without taking it away, as often as asked (%s)', async (algorithm) => {
    const path = await file('weights');
    const digest = digestOfBytes('weights', algorithm);
    await blobs.adopt(path, digest);
    await blobs.adopt(path, digest);
    expect(await readFile(path, 'utf8')).toBe('weights');
    await rm(path);
    expect(await textOf('weights', algorithm)).toBe('weights');
  });

  it.each(DIGEST_ALGORITHMS)('places a file and takes it away, also over one that is there (%s)', async (algorithm) => {
    const digest = digestOfBytes('weights', algorithm);
    for (let time = 0; time < 2; time++) {
      const path = await file('weights');
      await blobs.place(path, digest);
      await expect(stat(path)).rejects.toThrow();
      expect(await textOf('weights', algorithm)).toBe('weights');
    }
    await expect(blobs.place(join(outside, 'nowhere'), digest)).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    expect(await textOf('weights', algorithm)).toBe('weights');
  });

  it('keeps apart two digests with the same digits', async () => {
    const digits = 'ab'.repeat(32);
    await blobs.place(await file('one'), `sha256:${digits}`);
    await blobs.place(await file('two'), `blake3:${digits}`);
    expect(await readFile(await blobs.localPath(`sha256:${digits}`), 'utf8')).toBe('one');
    expect(await readFile(await blobs.localPath(`blake3:${digits}`), 'utf8')).toBe('two');
  });

  it('removes what it is told to, once or twice, and nothing else', async () => {
    const [kept, removed] = [(await blobs.write(parts('kept'))).digest, (await blobs.write(parts('removed'))).digest];
    await blobs.remove(removed);
    await blobs.remove(removed);
    expect([await blobs.has(kept), await blobs.has(removed)]).toEqual([true, false]);
    await expect(blobs.localPath(removed)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('leaves nothing unfinished behind', async () => {
    await blobs.write(parts('one'));
    await blobs.adopt(await file('two'), digestOfBytes('two', 'blake3'));
    await blobs.place(await file('three'), digestOfBytes('three'));
    const names = await readdir(folder, { recursive: true });
    expect(names.filter((name) => name.endsWith('.partial'))).toEqual([]);
  });
}

describe('FilesystemBlobStore', () => {
  keepsItsPromises((folder) => Promise.resolve(new FilesystemBlobStore(folder)));

  it('lists what it holds, of both kinds of digest', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'blobs-'));
    const blobs = new FilesystemBlobStore(folder);
    for (const algorithm of DIGEST_ALGORITHMS) await blobs.write(parts('listed'), algorithm);
    await writeFile(join(folder, 'left.partial'), 'not a blob');
    const listed = (await blobs.list()).map(({ digest, bytes }) => [digest, bytes]);
    expect(listed.sort()).toEqual(DIGEST_ALGORITHMS.map((algorithm) => [digestOfBytes('listed', algorithm), 6]).sort());
    await rm(folder, { recursive: true });
  });
});

describeWithObjectStore('S3BlobStore', (objects) => {
  const stores: S3BlobStore[] = [];
  let bucket: string;
  const openIn = async (folder: string, changes: { endpoint?: string; cacheBytes?: number } = {}): Promise<S3BlobStore> => {
    const place = { bucket, prefix: 'federation/', endpoint: changes.endpoint ?? objects().endpoint, region: 'us-east-1' };
    const store = new S3BlobStore(new S3Bucket(place), folder, changes.cacheBytes ?? 1e9);
    stores.push(store);
    await store.open();
    return store;
  };
  beforeEach(async () => {
    bucket = await objects().createBucket();
  });
  afterEach(() => {
    for (const store of stores.splice(0)) store.close();
  });

  keepsItsPromises((folder) => openIn(folder));

  describe('beyond them', () => {
    let folder: string;
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'cache-'));
    });
    afterEach(() => rm(folder, { recursive: true }));

    it('keeps everything in the bucket: another machine has it', async () => {
      const { digest } = await (await openIn(folder)).write(parts('weights'));
      const elsewhere = await mkdtemp(join(tmpdir(), 'cache-'));
      const other = await openIn(elsewhere);
      expect(await other.has(digest)).toBe(true);
      // Asked twice at once, it is fetched once.
      const [one, two] = await Promise.all([other.localPath(digest), other.localPath(digest)]);
      expect([one === two, await readFile(one, 'utf8')]).toEqual([true, 'weights']);
      expect(await objects().keysIn(bucket)).toEqual([`federation/sha256/${digest.slice(7, 9)}/${digest.slice(7)}`]);
      await other.remove(digest);
      expect(await objects().keysIn(bucket)).toEqual([]);
      await rm(elsewhere, { recursive: true });
    });

    it('refuses what is not what the digest names', async () => {
      const { digest } = await (await openIn(folder)).write(parts('weights'));
      await objects().overwrite(bucket, (await objects().keysIn(bucket))[0] ?? '', 'forged');
      const elsewhere = await mkdtemp(join(tmpdir(), 'cache-'));
      await expect((await openIn(elsewhere)).localPath(digest)).rejects.toThrow('other bytes than the digest names');
      expect(await readdir(elsewhere)).toEqual([]);
      await rm(elsewhere, { recursive: true });
    });

    it('gives disk space back when files were not used for a while, and fetches them again', async () => {
      const store = await openIn(folder);
      const written = async (text: string) => (await store.write(parts(text.repeat(1000)))).digest;
      const [first, second, third] = [await written('one'), await written('two'), await written('three')];
      const onDisk = async () => (await new FilesystemBlobStore(folder).list()).map(({ digest }) => digest);
      // All of them were used just now.
      await (await openIn(folder, { cacheBytes: 4000 })).has(digestOfBytes('nothing'));
      expect(await onDisk()).toHaveLength(3);
      const long = new Date(Date.now() - 2 * 3_600_000);
      for (const digest of [first, second]) await utimes(await store.localPath(digest), long, long);
      const thinned = await openIn(folder, { cacheBytes: 5000 });
      expect(await onDisk()).toEqual([third]);
      expect(await readFile(await thinned.localPath(first), 'utf8')).toBe('one'.repeat(1000));
    });

    it('outlasts a store that is away for a moment, and says when it stays away', async () => {
      const proxy = await CuttingProxy.open(objects().port);
      const store = await openIn(folder, { endpoint: proxy.url });
      proxy.goDown();
      setTimeout(() => proxy.restore(), 400);
      const { digest } = await store.write(parts('late'));
      expect((await objects().keysIn(bucket)).join()).toContain(digest.slice(7));
      proxy.goDown();
      await expect(store.write(parts('never'))).rejects.toMatchObject({ code: 'STORAGE_FAILED', retryable: true });
      expect(await store.has(digestOfBytes('never')).catch((error: Error) => error.message)).toContain('object store');
      await proxy.close();
    });

    it('is not opened without its bucket', async () => {
      bucket = 'nobodys-bucket';
      await expect(openIn(folder)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
      await expect(openIn(folder)).rejects.toThrow('there is no such bucket');
    });
  });
});
