import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DIGEST_ALGORITHMS, digestOfBytes } from '../../shared/src/kernel/index.js';
import type { BlobStore } from '../../coordinator/src/blobs/blob-store.js';
import { FilesystemBlobStore } from '../../coordinator/src/blobs/filesystem-blob-store.js';

/** What any form of the port promises. `open` gives the same store again for the same folder, as after a restart. */
const FORMS: [string, (folder: string) => Promise<BlobStore>][] = [
  ['FilesystemBlobStore', (folder) => Promise.resolve(new FilesystemBlobStore(folder))],
];

async function* parts(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

describe.each(FORMS)('%s', (_name, open) => {
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
});
