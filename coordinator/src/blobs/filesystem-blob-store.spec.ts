import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOfBytes } from '@consilium/shared/kernel';
import { FilesystemBlobStore } from './filesystem-blob-store.js';

async function* parts(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

describe('FilesystemBlobStore', () => {
  let folder: string;
  let blobs: FilesystemBlobStore;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'blobs-'));
    blobs = new FilesystemBlobStore(folder);
  });

  afterEach(() => rm(folder, { recursive: true }));

  it('names what it writes by its digest', async () => {
    const { digest, bytes } = await blobs.write(parts('ab', 'c'));
    expect([digest, bytes]).toEqual([digestOfBytes('abc'), 3]);
    expect(await readFile(await blobs.localPath(digest), 'utf8')).toBe('abc');
  });

  it('keeps nothing of a write that breaks off', async () => {
    const broken = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from('half');
      throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
    };
    await expect(blobs.write(broken())).rejects.toMatchObject({ code: 'DISK_FULL' });
    expect(await readdir(folder)).toEqual([]);
  });

  it('adopts a file without taking it away, as often as asked', async () => {
    const file = join(folder, 'upload');
    await writeFile(file, 'weights');
    const digest = digestOfBytes('weights');
    await blobs.adopt(file, digest);
    await blobs.adopt(file, digest);
    await rm(file);
    expect(await readFile(await blobs.localPath(digest), 'utf8')).toBe('weights');
    expect((await readdir(folder)).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });

  it('sweeps what a crash left, and says NOT_FOUND for what it lacks', async () => {
    await writeFile(join(folder, 'blob_1.partial'), 'half');
    await blobs.sweepPartials();
    expect(await readdir(folder)).toEqual([]);
    await expect(blobs.localPath(digestOfBytes('x'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
