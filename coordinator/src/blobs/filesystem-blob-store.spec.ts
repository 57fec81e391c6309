import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOfBytes, digitsOf } from '@consilium/shared/kernel';
import { FilesystemBlobStore } from './filesystem-blob-store.js';

// What every blob store promises is in test/contracts/blob-store.spec.ts.
describe('FilesystemBlobStore', () => {
  let folder: string;
  let blobs: FilesystemBlobStore;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'blobs-'));
    blobs = new FilesystemBlobStore(folder);
  });

  afterEach(() => rm(folder, { recursive: true }));

  it('finds what an older program has stored, and shares a file’s bytes where it adopts it', async () => {
    const digest = digestOfBytes('weights');
    const digits = digitsOf(digest);
    await mkdir(join(folder, digits.slice(0, 2)));
    await writeFile(join(folder, digits.slice(0, 2), digits), 'weights');
    const path = await blobs.localPath(digest);
    const other = digestOfBytes('weights', 'blake3');
    await blobs.adopt(path, other);
    expect((await stat(await blobs.localPath(other))).ino).toBe((await stat(path)).ino);
  });

  it('sweeps what a crash left, and leaves the rest', async () => {
    const digest = digestOfBytes('weights', 'blake3');
    await writeFile(join(folder, 'blob_1.partial'), 'half');
    const file = join(folder, 'file');
    await writeFile(file, 'weights');
    await blobs.place(file, digest);
    await blobs.sweepPartials();
    expect(await readdir(folder)).toEqual(['blake3']);
    expect(await blobs.has(digest)).toBe(true);
  });
});
