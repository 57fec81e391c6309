import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '@consilium/shared/kernel';
import { type MadePrepared, madeVoxels, makePrepared } from '../../../test/fixtures/make-prepared.js';
import type { Triple } from '../volumes/volume.js';
import { cutPatch, drawPatch } from './draw-patch.js';
import { openPrepared, type PreparedReader } from './patch-cache/open-prepared.js';
import type { PreparedVolume } from './patch-cache/prepared-volume.js';

interface Opened {
  readonly volume: PreparedVolume;
  readonly reader: PreparedReader;
}

let folder: string;
const readers: PreparedReader[] = [];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'draw-'));
});
afterAll(() => {
  for (const reader of readers) reader.close();
  rmSync(folder, { recursive: true });
});

async function opened(sizeVoxels: Triple, value: MadePrepared['value'], more: Partial<MadePrepared> = {}): Promise<Opened> {
  const volume = await makePrepared(folder, { name: `volume ${readers.length}`, sizeVoxels, value, ...more });
  const reader = openPrepared(volume);
  readers.push(reader);
  return { volume, reader };
}

const cut = ({ volume, reader }: Opened, start: Triple, size: Triple): Float32Array => cutPatch(volume, reader, start, size);
const draw = ({ volume, reader }: Opened, size: Triple, share: number, seed: string): Float32Array =>
  drawPatch(volume, reader, size, share, new Random(seed));

function foregroundOf(patch: Float32Array, threshold: number): number {
  let count = 0;
  for (const value of patch) if (value > threshold) count++;
  return count / patch.length;
}

/** As `toEqual`, in a fraction of its time. */
function sameBits(a: Float32Array, b: Float32Array): boolean {
  return Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength));
}

/** The rule itself, by counting every voxel of every position that is tried. */
function drawByCounting(made: MadePrepared, size: Triple, share: number, seed: string): Float32Array {
  const voxels = madeVoxels(made);
  const [, ny, nz] = made.sizeVoxels;
  const random = new Random(seed);
  let best: { patch: Float32Array; foreground: number } | undefined;
  for (let tries = 0; tries < 50; tries++) {
    const start = size.map((side, axis) => random.integer(0, (made.sizeVoxels[axis] ?? 0) - side)) as unknown as Triple;
    const patch = new Float32Array(size[0] * size[1] * size[2]);
    let at = 0;
    for (let x = 0; x < size[0]; x++)
      for (let y = 0; y < size[1]; y++)
        for (let z = 0; z < size[2]; z++) patch[at++] = voxels[((start[0] + x) * ny + start[1] + y) * nz + start[2] + z] ?? NaN;
    const foreground = foregroundOf(patch, 0.25);
    if (best === undefined || foreground > best.foreground) best = { patch, foreground };
    if (foreground >= share) return patch;
  }
  return best?.patch ?? new Float32Array();
}

describe('cutPatch', () => {
  it('cuts the box at its start', async () => {
    const patch = cut(await opened([5, 6, 7], (x, y, z) => 100 * x + 10 * y + z), [1, 2, 3], [2, 3, 4]);
    expect([patch[0], patch[1], patch[4], patch[12], patch.at(-1)]).toEqual([123, 124, 133, 223, 246]);
  });

  it('centres short axes in air', async () => {
    const patch = cut(await opened([8, 8, 2], () => 1), [0, 0, 0], [8, 8, 8]);
    expect([...patch.subarray(0, 8)]).toEqual([0, 0, 0, 1, 1, 0, 0, 0]);
    expect(foregroundOf(patch, 0.5)).toBe(2 / 8);
    const scored = cut(await opened([8, 8, 2], () => 1, { airValue: -1.5 }), [0, 0, 0], [8, 8, 8]);
    expect([...scored.subarray(0, 4)]).toEqual([-1.5, -1.5, -1.5, 1]);
  });
});

describe('drawPatch', () => {
  const size = [8, 8, 8] as const;

  it('draws every position about equally often and never beyond the border', async () => {
    const source = await opened([12, 8, 8], (x) => x / 100 + 0.5);
    const counts = new Map<number, number>();
    for (let seed = 0; seed < 2000; seed++) {
      const start = Math.round(((draw(source, size, 0, `p/${seed}`)[0] ?? 0) - 0.5) * 100);
      counts.set(start, (counts.get(start) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual([0, 1, 2, 3, 4]);
    for (const count of counts.values()) expect(Math.abs(count - 400)).toBeLessThan(70);
  });

  it('avoids air by the threshold of the modality', async () => {
    const half =
      (value: number) =>
      (x: number): number =>
        x >= 48 ? value : 0;
    for (const [modality, value] of [
      ['CT', 0.3],
      ['MR', 0.1],
    ] as const) {
      const source = await opened([64, 8, 8], half(value), { modality });
      for (let seed = 0; seed < 50; seed++)
        expect(foregroundOf(draw(source, size, 0.5, `a/${seed}`), 0.05)).toBeGreaterThanOrEqual(0.5);
    }
    // 0.2 is air in CT: every place is as good as another, and the drawing still ends.
    expect(draw(await opened([64, 8, 8], half(0.2)), size, 0.5, 'ct')).toHaveLength(512);
  });

  it('takes the best of its tries when none is good enough', async () => {
    const source = await opened([64, 8, 8], (x) => (x >= 56 ? 1 : 0));
    const shares = Array.from({ length: 50 }, (_, seed) => foregroundOf(draw(source, size, 1, `b/${seed}`), 0.5));
    expect(shares.reduce((sum, share) => sum + share, 0) / 50).toBeGreaterThan(0.8); // one position in 57 is perfect
  });

  it('does not count padding as air', async () => {
    const patch = draw(await opened([16, 16, 2], (x) => (x < 8 ? 1 : 0)), size, 0.9, 'thin');
    expect(foregroundOf(patch, 0.5)).toBeGreaterThanOrEqual(0.9 * 0.25);
  });

  it('comes to the patch that counting every voxel comes to, and reads few that it turns down', async () => {
    // A ball of tissue with noise and holes: many positions are close to the wanted share.
    const noise = new Random('noise');
    const speckle = Float32Array.from({ length: 4096 }, () => noise.uniform24());
    const value = (x: number, y: number, z: number): number =>
      Math.hypot(x - 24, y - 20, z - 14) < 14 && (speckle[(x * 31 + y * 17 + z * 7) % 4096] ?? 0) < 0.8 ? 0.6 : 0.1;
    const made: MadePrepared = { sizeVoxels: [50, 45, 30], value };
    const source = await opened(made.sizeVoxels, value);
    let reads = 0;
    const counting: PreparedReader = {
      readBox: (...box) => {
        reads++;
        return source.reader.readBox(...box);
      },
      foregroundBounds: (...box) => source.reader.foregroundBounds(...box),
      close: () => undefined,
    };
    const shares = [0.1, 0.4, 0.74, 0.95];
    for (const share of shares) {
      for (let seed = 0; seed < 15; seed++) {
        const patch = drawPatch(source.volume, counting, [16, 16, 12], share, new Random(`e/${seed}`));
        expect(sameBits(patch, drawByCounting(made, [16, 16, 12], share, `e/${seed}`))).toBe(true);
      }
    }
    expect(reads).toBeLessThan(15 * (1.5 + 2 + 6 + 12));
  });
});
