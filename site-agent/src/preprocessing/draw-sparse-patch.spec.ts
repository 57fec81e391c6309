import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '@consilium/shared/kernel';
import { sparsePatchSchema } from '@consilium/shared/wire';
import { type MadePrepared, madeVoxels, makePrepared } from '../../../test/fixtures/make-prepared.js';
import type { Triple } from '../volumes/volume.js';
import { drawSparsePatch } from './draw-sparse-patch.js';
import { openPrepared, type PreparedReader } from './patch-cache/open-prepared.js';

const SIZE: Triple = [8, 8, 8];
let folder: string;
const readers: PreparedReader[] = [];
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sparse-'))));
afterAll(() => {
  for (const reader of readers) reader.close();
  rmSync(folder, { recursive: true });
});

async function drawFrom(made: Omit<MadePrepared, 'name'>, fields: object, minimumForeground = 0) {
  const volume = await makePrepared(folder, { name: `volume ${readers.length}`, ...made });
  const reader = openPrepared(volume);
  readers.push(reader);
  const sparse = sparsePatchSchema.parse(fields);
  return (seed: string): Float32Array => drawSparsePatch(volume, reader, SIZE, { sparse, minimumForeground }, new Random(seed));
}

/** Where a patch was cut, of a volume whose voxels are all different. */
function startOf(patch: Float32Array, { sizeVoxels }: Pick<MadePrepared, 'sizeVoxels'>, voxels: Float32Array): Triple {
  const index = voxels.indexOf(patch[0] as number);
  const [, ny, nz] = sizeVoxels;
  return [Math.floor(index / (ny * nz)), Math.floor(index / nz) % ny, index % nz];
}

/** Density by the words of the rule, of every position: the oracle. */
function densityAt(voxels: Float32Array, sizeVoxels: Triple, [x, y, z]: Triple, denseFrom: number): number {
  const at = (i: number, j: number, k: number): number =>
    k < sizeVoxels[2] ? (voxels[(i * sizeVoxels[1] + j) * sizeVoxels[2] + k] as number) : 0;
  let sum = 0;
  for (let i = x; i < x + 8; i++)
    for (let j = y; j < y + 8; j++)
      for (let k = z; k < z + 8; k++) sum += at(i, j, k) >= denseFrom ? 1 : at(i, j, k + 1) >= denseFrom ? 0.5 : 0;
  return sum / 512;
}

describe('patches of little tissue', () => {
  const sizeVoxels: Triple = [30, 28, 26];
  // All different, and dense in one half along x in grains of two by two by two.
  const value = (x: number, y: number, z: number): number => {
    const isDense = x > 14 && (Math.floor(x / 2) + Math.floor(y / 2) + Math.floor(z / 2)) % 2 === 0;
    return (isDense ? 0.5 : 0.1) + ((x * 28 + y) * 26 + z) * 1e-6;
  };

  it('lie off the sides, from the margin to one voxel before the other one, and three slices earlier along z', async () => {
    const made = { sizeVoxels, value };
    const draw = await drawFrom(made, { marginVoxels: [4, 5, 3], mostDense: 1 });
    const voxels = madeVoxels({ name: '', ...made });
    const starts = Array.from({ length: 600 }, (_, seed) => startOf(draw(`off/${seed}`), made, voxels));
    const range = (axis: number) => [
      Math.min(...starts.map((s) => s[axis] ?? NaN)),
      Math.max(...starts.map((s) => s[axis] ?? NaN)),
    ];
    expect([0, 1, 2].map(range)).toEqual([
      [4, 17],
      [5, 14],
      [3, 11],
    ]);
  });

  it('are refused while their mean density is too large, counted as the rule says, and keep a least share of tissue', async () => {
    const made = { sizeVoxels, value };
    const voxels = madeVoxels({ name: '', ...made });
    const draw = await drawFrom(made, { marginVoxels: [0, 0, 0], mostDense: 0.15, denseFrom: 0.425 });
    const densities = Array.from({ length: 200 }, (_, seed) =>
      densityAt(voxels, sizeVoxels, startOf(draw(`sparse/${seed}`), made, voxels), 0.425),
    );
    expect(Math.max(...densities)).toBeLessThanOrEqual(0.15);
    expect(Math.max(...densities)).toBeGreaterThan(0.05); // the filter is at work, and is no stricter than it says
    expect(densities.filter((density) => density === 0).length).toBeLessThan(200);
  });

  it('are the least dense of those that were tried where none is sparse enough', async () => {
    const made = { sizeVoxels, value };
    const voxels = madeVoxels({ name: '', ...made });
    const rule = { marginVoxels: [0, 0, 0], mostDense: 0, denseFrom: 0.05, tries: 40 };
    const draw = await drawFrom({ ...made, value: (x, y, z) => value(x, y, z) - (x < 2 ? 0.08 : 0) }, rule);
    expect(draw('none')).toHaveLength(512);
    const dense = await drawFrom(made, { ...rule, tries: 1 });
    expect(densityAt(voxels, sizeVoxels, startOf(dense('one'), made, voxels), 0.05)).toBe(1);
  });

  it('come from the whole of an axis that is too short for its margins, and lie in air where it is shorter than they are', async () => {
    const made = { sizeVoxels: [12, 12, 5] as Triple, value: () => 0.2 };
    const draw = await drawFrom(made, {});
    const patch = draw('short');
    expect(patch).toHaveLength(512);
    expect(patch.filter((voxel) => voxel === Math.fround(0.2))).toHaveLength(8 * 8 * 5);
  });
});
