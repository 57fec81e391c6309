import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random, required } from '@consilium/shared/kernel';
import { digestOfName, type MadePrepared, madeVoxels, makePrepared } from '../../../../test/fixtures/make-prepared.js';
import type { Triple } from '../../volumes/volume.js';
import { halfTable, toHalf } from '../half-floats.js';
import { chunkLayout, eachRun } from './chunk-layout.js';
import { openPrepared } from './open-prepared.js';
import { dropPrepared, PatchCache } from './patch-cache.js';
import { ReaderPool } from './reader-pool.js';
import { writeEntry } from './write-entry.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cache-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const SIZE = [37, 50, 29] as const;

function noise(name: string, more: Partial<MadePrepared> = {}): MadePrepared {
  const random = new Random(name);
  const values = Float32Array.from({ length: SIZE[0] * SIZE[1] * SIZE[2] }, () => random.uniform24());
  return { name, sizeVoxels: SIZE, value: (x, y, z) => values[(x * SIZE[1] + y) * SIZE[2] + z] ?? NaN, ...more };
}

const keyOf = (name: string) =>
  ({ digest: digestOfName(name), modality: 'CT', fingerprint: digestOfName('fingerprint') }) as const;
const entries = (): string[] => readdirSync(folder);

function boxOf(voxels: Float32Array, start: Triple, size: Triple): Float32Array {
  const box = new Float32Array(size[0] * size[1] * size[2]);
  let at = 0;
  for (let x = start[0]; x < start[0] + size[0]; x++)
    for (let y = start[1]; y < start[1] + size[1]; y++)
      for (let z = start[2]; z < start[2] + size[2]; z++) box[at++] = voxels[(x * SIZE[1] + y) * SIZE[2] + z] ?? NaN;
  return box;
}

/** As `toEqual`, in a fraction of its time. */
function sameBits(a: Float32Array, b: Float32Array): boolean {
  return Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength));
}

function drawBox(random: Random): { start: Triple; size: Triple } {
  const size = SIZE.map((side) => random.integer(1, side)) as unknown as Triple;
  return { size, start: size.map((side, axis) => random.integer(0, (SIZE[axis] ?? 0) - side)) as unknown as Triple };
}

describe('a prepared volume on disk', () => {
  it.each(['f32', 'f16'] as const)('gives back any box (%s), and bounds on its foreground that hold', async (elementType) => {
    const made = noise('a', { elementType, airThreshold: 0.7 });
    const stored = elementType === 'f32' ? madeVoxels(made) : madeVoxels(made).map((value) => halfTable()[toHalf(value)] ?? NaN);
    const reader = openPrepared(await makePrepared(folder, made));
    const random = new Random('boxes');
    for (let box = 0; box < 60; box++) {
      const { start, size } = drawBox(random);
      const wanted = boxOf(stored, start, size);
      expect(sameBits(reader.readBox(start, size), wanted)).toBe(true);
      const foreground = wanted.filter((value) => value > 0.7).length;
      const { atLeast, atMost } = reader.foregroundBounds(start, size);
      expect([atLeast <= foreground, foreground <= atMost]).toEqual([true, true]);
    }
    expect(reader.foregroundBounds([0, 0, 0], SIZE)).toMatchObject({ atLeast: stored.filter((value) => value > 0.7).length });
    const target = new Float32Array(10).fill(-1);
    reader.readBox([0, 0, 0], [1, 1, 8], target);
    expect([...target.subarray(8)]).toEqual([-1, -1]);
    reader.close();
  });

  it('asks for less than twice the stored bytes of a patch of 64 × 64 × 32', () => {
    for (const [elementType, bytes] of [
      ['f32', 4],
      ['f16', 2],
    ] as const) {
      const layout = chunkLayout([512, 512, 300], elementType);
      const random = new Random('patches');
      for (let patch = 0; patch < 500; patch++) {
        const start = [random.integer(0, 448), random.integer(0, 448), random.integer(0, 268)] as const;
        let chunks = 0;
        eachRun(layout, start, [64, 64, 32], (_x, _y, first, last) => (chunks += last - first + 1));
        expect(chunks * 4096).toBeLessThan(2 * 64 * 64 * 32 * bytes);
      }
    }
  });

  it('notices a damaged chunk, table or length, removes the file and says that trying again helps', async () => {
    const damage: Record<string, (file: string) => void> = {
      chunk: (file) => flipByte(file, -2000),
      table: (file) => flipByte(file, 4096 + 100),
      'a shorter file': (file) => truncateSync(file, 9000),
      'a longer file': (file) => appendFileSync(file, 'x'),
      'no file': (file) => rmSync(file),
    };
    for (const [what, harm] of Object.entries(damage)) {
      const volume = await makePrepared(folder, noise(what));
      harm(volume.file);
      const read = (): Float32Array => openPrepared(volume).readBox([0, 0, 0], SIZE);
      expect(read).toThrow(expect.objectContaining({ code: 'STORAGE_FAILED', retryable: true }) as Error);
      expect(existsSync(volume.file)).toBe(false);
    }
  });
});

function flipByte(file: string, at: number): void {
  const bytes = readFileSync(file);
  const index = at < 0 ? bytes.length + at : at;
  bytes[index] = (bytes[index] ?? 0) ^ 1;
  writeFileSync(file, bytes);
}

describe('PatchCache', () => {
  it('finds what was stored by its key alone, and nothing that is not whole', async () => {
    const cache = await PatchCache.open(folder);
    const volume = await makePrepared(folder, noise('a'));
    expect(await cache.find(keyOf('a'))).toEqual(volume);
    for (const other of [
      keyOf('b'),
      { ...keyOf('a'), modality: 'MR' },
      { ...keyOf('a'), fingerprint: digestOfName('x') },
    ] as const)
      expect(await cache.find(other)).toBeUndefined();
    const bytes = readFileSync(volume.file);
    for (const harm of [20, 4000]) {
      writeFileSync(volume.file, bytes);
      flipByte(volume.file, harm); // in the header, which is checked as a whole
      expect(await cache.find(keyOf('a'))).toBeUndefined();
    }
    truncateSync(volume.file, 0);
    expect(await cache.find(keyOf('a'))).toBeUndefined();
    await makePrepared(folder, noise('a'));
    expect(readFileSync(volume.file).equals(bytes)).toBe(true);
  });

  it('keeps within its limit: what was not used for longest goes, what this process uses stays', async () => {
    const bytes = chunkLayout(SIZE, 'f32').fileBytes;
    const volumes = [];
    for (const [age, name] of ['oldest', 'older', 'old'].entries()) {
      const volume = await makePrepared(folder, noise(name));
      utimesSync(volume.file, 1000 + age, 1000 + age);
      volumes.push(volume);
    }
    const open = openPrepared(required(volumes[1], 'the volume'));
    const cache = await PatchCache.open(folder, 3.5 * bytes);
    await cache.find(keyOf('oldest')); // now the newest, and in use
    const stored = { ...headerOf('new'), elementType: 'f32' as const };
    await cache.store(stored, madeVoxels(noise('new')));
    expect(volumes.map(({ file }) => existsSync(file))).toEqual([true, false, true]);
    expect(open.readBox([0, 0, 0], SIZE)).toEqual(madeVoxels(noise('older'))); // still readable where it is open
    open.close();
    const tight = await PatchCache.open(folder, 1.5 * bytes);
    await tight.find(keyOf('oldest'));
    await expect(tight.store(stored, madeVoxels(noise('new')))).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
      retryable: false,
    });
  });

  it('drops what belongs to a volume, in every form', async () => {
    await makePrepared(folder, noise('a'));
    await makePrepared(folder, noise('a', { modality: 'MR' }));
    const other = await makePrepared(folder, noise('b'));
    expect(await dropPrepared(folder, [digestOfName('a'), digestOfName('c')])).toBe(2);
    expect(entries()).toEqual([other.file.slice(folder.length + 1)]);
    expect(await dropPrepared(join(folder, 'new'), [digestOfName('a')])).toBe(0);
  });

  it('leaves nothing behind when the disk is full', async () => {
    const header = headerOf('full');
    await expect(writeEntry('/dev/full', header, madeVoxels(noise('full')))).rejects.toMatchObject({ code: 'ENOSPC' });
    writeFileSync(join(folder, 'taken'), '');
    await expect(PatchCache.open(join(folder, 'taken'))).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
  });

  it('clears away what dead processes left, not what others are writing', async () => {
    writeFileSync(join(folder, `x.voxels.${process.pid}.p_1.partial`), '');
    writeFileSync(join(folder, 'x.voxels.4194999.p_2.partial'), ''); // beyond the largest process number
    await PatchCache.open(folder);
    expect(entries()).toEqual([`x.voxels.${process.pid}.p_1.partial`]);
  });
});

function headerOf(name: string) {
  const sizeVoxels: [number, number, number] = [...SIZE];
  const spacingMm: [number, number, number] = [1, 1, 1];
  const affine = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
  return { ...keyOf(name), sizeVoxels, spacingMm, affine, elementType: 'f32' as const, airThreshold: 0.25, airValue: 0 };
}

describe('ReaderPool', () => {
  it('keeps a few files open and opens the others again', async () => {
    const volumes = await Promise.all(['a', 'b', 'c'].map((name) => makePrepared(folder, noise(name))));
    const made = ['a', 'b', 'c'].map((name) => madeVoxels(noise(name)));
    const pool = new ReaderPool(2);
    const descriptors = (): number => readdirSync('/proc/self/fd').length;
    const before = descriptors();
    for (let round = 0; round < 3; round++) {
      for (const [index, volume] of volumes.entries()) {
        const box = pool.reader(volume).readBox([0, 0, 0], SIZE);
        expect(sameBits(box, made[index] ?? new Float32Array())).toBe(true);
      }
    }
    expect(descriptors() - before).toBeLessThanOrEqual(2);
    pool.close();
    expect(descriptors()).toBeLessThanOrEqual(before);
  });
});
