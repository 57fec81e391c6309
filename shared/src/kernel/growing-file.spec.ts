import { randomBytes } from 'node:crypto';
import { appendFile, mkdtemp, open, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { jest } from '@jest/globals';
import { DIGEST_ALGORITHMS, digestOfBytes } from './digest.js';
import { FollowingDigest, GrowingFile } from './growing-file.js';

const content = randomBytes(5_000_000);

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'growing-'));
  path = join(folder, 'file');
});

afterEach(async () => {
  jest.restoreAllMocks();
  await rm(folder, { recursive: true });
});

function inPieces(bytes: Buffer, size: number): Readable {
  return Readable.from(
    (function* () {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    })(),
  );
}

async function append(digest: FollowingDigest, source: Readable, limit = content.length): Promise<number> {
  const file = await GrowingFile.open(path, digest);
  try {
    await file.append(source, limit);
    return file.bytes;
  } finally {
    await file.close();
  }
}

async function digestOf(digest: FollowingDigest): Promise<string> {
  const file = await GrowingFile.open(path, digest);
  try {
    return await file.finish();
  } finally {
    await file.close();
  }
}

describe('GrowingFile', () => {
  it.each(DIGEST_ALGORITHMS)('digests by %s what comes in several appends', async (algorithm) => {
    const digest = new FollowingDigest(algorithm);
    await append(digest, inPieces(content.subarray(0, 2_000_000), 65_536));
    expect(await append(digest, inPieces(content.subarray(2_000_000), 1000))).toBe(content.length);
    // Everything was digested on its way: the file itself is not read again.
    expect(digest.bytes).toBe(content.length);
    expect(await digestOf(digest)).toBe(digestOfBytes(content, algorithm));
    expect(Buffer.compare(await readFile(path), content)).toBe(0);
  });

  it('reads what lay on disk before, also while more arrives', async () => {
    await writeFile(path, content.subarray(0, 3_500_000));
    const digest = new FollowingDigest('blake3');
    await append(digest, inPieces(content.subarray(3_500_000), 65_536));
    expect(await digestOf(digest)).toBe(digestOfBytes(content, 'blake3'));
  });

  it('begins anew when the file has become shorter, was emptied, or has grown after its digest was asked for', async () => {
    const digest = new FollowingDigest('sha256');
    await append(digest, inPieces(content, 65_536));
    await truncate(path, 1000);
    expect(await digestOf(digest)).toBe(digestOfBytes(content.subarray(0, 1000)));
    await appendFile(path, 'more');
    expect(await digestOf(digest)).toBe(digestOfBytes(Buffer.concat([content.subarray(0, 1000), Buffer.from('more')])));
    const file = await GrowingFile.open(path, digest);
    await file.clear();
    await file.append(inPieces(content.subarray(7), 65_536), content.length);
    expect(await file.finish()).toBe(digestOfBytes(content.subarray(7)));
    await file.close();
  });

  it('keeps what came before the source broke off', async () => {
    const source = new PassThrough();
    const digest = new FollowingDigest('blake3');
    const appended = append(digest, source);
    source.write(content.subarray(0, 10_000));
    setTimeout(() => source.destroy(new Error('cut')), 20);
    await expect(appended).rejects.toMatchObject({ code: 'TRANSFER_BROKEN' });
    expect(Buffer.compare(await readFile(path), content.subarray(0, 10_000))).toBe(0);
    expect(digest.bytes).toBe(10_000);
  });

  it('takes nothing beyond the limit', async () => {
    await expect(append(new FollowingDigest('blake3'), inPieces(content, 65_536), 100_000)).rejects.toMatchObject({
      code: 'MESSAGE_REFUSED',
    });
    expect(Buffer.compare(await readFile(path), content.subarray(0, 65_536))).toBe(0);
  });

  it('says "disk full"', async () => {
    await symlink('/dev/full', path);
    await expect(append(new FollowingDigest('blake3'), inPieces(content, 65_536))).rejects.toMatchObject({ code: 'DISK_FULL' });
  });

  it('holds the source back while the disk is slower, and writes on where a disk took only a part', async () => {
    const probe = await open(join(folder, 'probe'), 'w');
    const prototype = Object.getPrototypeOf(probe) as typeof probe;
    await probe.close();
    const write = (file: typeof probe, part: Buffer, position?: number | null) => file.write(part, 0, part.length, position);
    let written = 0;
    let ahead = 0;
    let given = 0;
    jest.spyOn(prototype, 'writev').mockImplementation(async function (this: typeof probe, parts, position) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      const few = Buffer.concat(parts as Uint8Array[]).subarray(0, 300_001);
      const { bytesWritten } = await write(this, few, position);
      written += bytesWritten;
      ahead = Math.max(ahead, given - written);
      return { bytesWritten, buffers: parts };
    });
    const source = Readable.from(
      (function* () {
        for (let at = 0; at < content.length; at += 65_536) {
          given = Math.min(content.length, at + 65_536);
          yield content.subarray(at, given);
        }
      })(),
    );
    const digest = new FollowingDigest('sha256');
    await append(digest, source);
    expect(Buffer.compare(await readFile(path), content)).toBe(0);
    expect(await digestOf(digest)).toBe(digestOfBytes(content));
    expect(ahead).toBeLessThan(4 << 20);
  });
});
