import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { type MadeVolume, writeNifti } from '../../../../test/fixtures/make-volume.js';
import { describeWithOracle, PROJECT_ROOT } from '../../../../test/fixtures/reference-shelf.js';
import { readNiftiVolume } from './nifti-volume.js';
import { readNiftiHeader } from './nifti-scan.js';
import { writeNiftiLike, writeNiftiVolume } from './nifti-writer.js';
import { orientationOf } from '../orientation.js';

/** Sources of every kind of geometry: oblique sform, mirrored qform, both, none; both versions and byte orders. */
const SOURCES: Record<string, MadeVolume> = {
  'oblique-psr': {
    sizes: [6, 7, 8],
    sform: [
      [0.1, -0.2, 2, 5],
      [-3, 0.1, 0.2, 60],
      [0.2, 4, -0.1, -7],
    ],
  },
  'mirrored-qform': { spacingMm: [2, 3, 4], qform: { quaternion: [0.1, 0.2, 0.9], offset: [1, 2, 3], qfac: -1 } },
  'both-big-endian': {
    littleEndian: false,
    spacingMm: [1, 2, 3],
    sform: [
      [-1, 0, 0, 10],
      [0, -2, 0, 20],
      [0, 0, 3, 0],
    ],
    qform: { quaternion: [0, 0, 1], offset: [10, 20, 0], qfac: 1 },
  },
  'no-orientation': { spacingMm: [2, 3, 4], description: 'a name that must not be copied' },
  'nifti-2': {
    version: 2,
    sform: [
      [0, 1, 0, 0],
      [1, 0, 0, 0],
      [0, 0, -2, 9],
    ],
    slope: 3,
    intercept: -5,
    description: 'secret',
  },
  'nifti-2-big-endian': { version: 2, littleEndian: false, qform: { quaternion: [0.5, 0.5, 0.5], offset: [0, 0, 0], qfac: 1 } },
};

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'masks-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function source(name: string): string {
  return writeNifti(join(folder, `${name}.nii`), SOURCES[name]);
}

describe('writeNiftiLike', () => {
  it.each(Object.keys(SOURCES))('gives back voxels and geometry: %s', async (name) => {
    const volume = await readNiftiVolume(source(name));
    const mask = Uint8Array.from(volume.voxels, (_, index) => index % 3);
    for (const [file, voxels] of [
      ['mask.nii.gz', mask],
      ['map.nii', volume.voxels],
    ] as const) {
      const path = join(folder, file);
      await writeNiftiLike(path, volume, voxels);
      const again = await readNiftiVolume(path);
      expect(again.affine).toEqual(volume.affine);
      expect(again.sizeVoxels).toEqual(volume.sizeVoxels);
      expect(again.source).toMatchObject({ rasAxis: volume.source.rasAxis, flipped: volume.source.flipped });
      expect(again.voxels).toEqual(Float32Array.from(voxels));
    }
  });

  it('copies no free text of the source', async () => {
    const volume = await readNiftiVolume(source('no-orientation'));
    await writeNiftiLike(join(folder, 'plain.nii.gz'), volume, new Uint8Array(volume.voxels.length));
    const bytes = gunzipSync(readFileSync(join(folder, 'plain.nii.gz'))).toString('latin1');
    expect(bytes).not.toContain('a name');
    expect(bytes).toContain('Consilium');
  });

  it('refuses voxels of another size and leaves no half-written file', async () => {
    const volume = await readNiftiVolume(source('nifti-2'));
    await expect(writeNiftiLike(join(folder, 'wrong.nii'), volume, new Uint8Array(5))).rejects.toMatchObject({
      code: 'INVARIANT',
    });
    await expect(
      writeNiftiLike(join(folder, 'absent', 'm.nii'), volume, new Uint8Array(volume.voxels.length)),
    ).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
    });
    expect(readdirSync(folder).filter((file) => file.includes('wrong') || file.includes('partial'))).toEqual([]);
  });
});

describe('writeNiftiVolume', () => {
  const codes = ['RL', 'AP', 'SI'];
  const orders = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ];
  const all = orders.flatMap((order) =>
    [...Array(8).keys()].map((bits) => order.map((axis, at) => codes[axis]?.[(bits >> at) & 1] ?? '').join('')),
  );

  it('gives back voxels and place in each of the 48 orientations', async () => {
    const volume = await readNiftiVolume(source('oblique-psr'));
    expect(new Set(all).size).toBe(48);
    for (const code of all) {
      const orientation = orientationOf(code);
      if (orientation === undefined) throw new Error(`${code} is no orientation`);
      const path = join(folder, 'turned.nii');
      await writeNiftiVolume(path, volume, orientation);
      expect((await readNiftiHeader(path)).geometry.orientation).toBe(code);
      const again = await readNiftiVolume(path);
      expect(again.voxels).toEqual(volume.voxels);
      again.affine.forEach((entry, index) => expect(entry).toBeCloseTo(volume.affine[index] ?? NaN, 4));
    }
    expect(['RAX', 'RA', 'RASI', 'RLS', ''].map(orientationOf)).toEqual(Array(5).fill(undefined));
  });

  it('writes NIfTI-2 where a side is too long for NIfTI-1', async () => {
    const path = join(folder, 'long.nii.gz');
    const voxels = Float32Array.from({ length: 40_000 }, (_, index) => index);
    const affine = [0.1, 0, 0, 5, 0, 2, 0, -6, 0, 0, 3, 7, 0, 0, 0, 1];
    const volume = { ...(await readNiftiVolume(source('nifti-2'))), sizeVoxels: [40_000, 1, 1] as const, affine, voxels };
    await writeNiftiVolume(path, volume, { rasAxis: [0, 1, 2], flipped: [false, false, false] });
    expect(gunzipSync(readFileSync(path)).readInt32LE(0)).toBe(540);
    expect(await readNiftiVolume(path)).toMatchObject({ sizeVoxels: [40_000, 1, 1], affine, voxels });
  });
});

describeWithOracle('written masks as nibabel reads them', (python) => {
  it('have the affine, codes and voxels of their source', async () => {
    const pairs: string[] = [];
    for (const name of Object.keys(SOURCES)) {
      const volume = await readNiftiVolume(source(name));
      const mask = join(folder, `${name}-mask.nii.gz`);
      await writeNiftiLike(
        mask,
        volume,
        Uint8Array.from(volume.voxels, (value) => Math.abs(value) % 200),
      );
      pairs.push(join(folder, `${name}.nii`), mask);
    }
    const script = join(PROJECT_ROOT, 'test/fixtures/nifti-goldens/compare-geometry.py');
    expect(execFileSync(python, [script, ...pairs], { encoding: 'utf8' }).trim()).toBe(
      `${Object.keys(SOURCES).length} pairs agree`,
    );
  });
});
