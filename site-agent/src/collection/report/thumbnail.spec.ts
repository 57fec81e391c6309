import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { decode } from 'fast-png';
import { describeWithShelf } from '../../../../test/fixtures/reference-shelf.js';
import { readNiftiVolume } from '../../volumes/nifti/nifti-volume.js';
import type { Triple, Volume } from '../../volumes/volume.js';
import { makeThumbnail } from './thumbnail.js';

/** A volume in RAS order whose value at x, y, z is given. */
function volumeOf(sizeVoxels: Triple, spacingMm: Triple, value: (x: number, y: number, z: number) => number): Volume {
  const [nx, ny, nz] = sizeVoxels;
  const voxels = new Float32Array(nx * ny * nz);
  for (let x = 0, at = 0; x < nx; x++) for (let y = 0; y < ny; y++) for (let z = 0; z < nz; z++) voxels[at++] = value(x, y, z);
  const affine = [spacingMm[0], 0, 0, 0, 0, spacingMm[1], 0, 0, 0, 0, spacingMm[2], 0, 0, 0, 0, 1];
  const source = { sizeVoxels, affine, rasAxis: [0, 1, 2], flipped: [false, false, false], headerBytes: undefined } as const;
  return { sizeVoxels, spacingMm, affine, voxels, repairedVoxels: 0, source };
}

function pictureOf(volume: Volume, modality: 'CT' | 'MR' | undefined = 'MR') {
  const { width, height, data } = decode(makeThumbnail(volume, modality));
  const at = (left: number, top: number): number => data[Math.floor(top * (height - 1)) * width + left] ?? -1;
  return { width, height, at };
}

// 48³ voxels: each picture is 96 × 96 pixels, and starts at 0, 98 and 196.
const CUBE: Triple = [48, 48, 48];
const UNIT: Triple = [1, 1, 1];
const CORONAL = 98;
const AXIAL = 196;

describe('makeThumbnail', () => {
  it('has the head up and the front on the left in the sagittal plane', () => {
    const picture = pictureOf(volumeOf(CUBE, UNIT, (_x, y, z) => (z > 30 ? 2000 : y > 30 ? 1000 : 1)));
    expect(picture.at(48, 0.1)).toBe(255);
    expect(picture.at(10, 0.9)).toBeGreaterThan(100);
    expect(picture.at(80, 0.9)).toBe(0);
  });

  it("has the patient's right on the left in the coronal and the axial plane", () => {
    const picture = pictureOf(volumeOf(CUBE, UNIT, (x, _y, z) => (x > 30 ? 2000 : z > 30 ? 1000 : 1)));
    expect(picture.at(CORONAL + 10, 0.9)).toBe(255);
    expect(picture.at(CORONAL + 80, 0.9)).toBe(0);
    expect(picture.at(CORONAL + 80, 0.1)).toBeGreaterThan(100);
    expect(picture.at(AXIAL + 10, 0.5)).toBe(255);
    expect(picture.at(AXIAL + 80, 0.5)).toBe(0);
  });

  it('has the front up in the axial plane', () => {
    const picture = pictureOf(volumeOf(CUBE, UNIT, (_x, y) => (y > 30 ? 2000 : 1)));
    expect(picture.at(AXIAL + 48, 0.1)).toBe(255);
    expect(picture.at(AXIAL + 48, 0.9)).toBe(0);
  });

  it('keeps true proportions whatever the spacing', () => {
    // 100 × 200 × 50 mm: sagittal 96 × 24, coronal 48 × 24, axial 48 × 96 pixels.
    const thick = pictureOf(volumeOf([100, 100, 10], [1, 2, 5], (x) => x));
    expect([thick.width, thick.height]).toEqual([96 + 48 + 48 + 4, 96]);
    const fine = pictureOf(volumeOf([50, 400, 100], [2, 0.5, 0.5], (x) => x));
    expect([fine.width, fine.height]).toEqual([thick.width, thick.height]);
  });

  it('averages over the area that a pixel covers', () => {
    // Stripes one voxel wide, four voxels in a pixel: an even grey, where picking single voxels would leave stripes.
    const picture = pictureOf(volumeOf([8, 384, 8], UNIT, (_x, y) => (y % 2 === 0 ? 100 : 300)));
    const shades = new Set(Array.from({ length: 96 }, (_, column) => picture.at(column, 0.5)));
    expect(shades.size).toBe(1);
    expect([...shades][0]).toBeGreaterThan(100);
    expect([...shades][0]).toBeLessThan(155);
  });

  it('shows CT in the soft-tissue window', () => {
    const values = [-1000, -160, 40, 240, 1500];
    const picture = pictureOf(
      volumeOf([8, 8, 80], UNIT, (_x, _y, z) => values[Math.floor(z / 16)] ?? 0),
      'CT',
    );
    const shades = [0.9, 0.7, 0.5, 0.3, 0.1].map((top) => picture.at(4, top));
    expect(shades[0]).toBe(0);
    expect(shades[1]).toBe(0);
    expect(Math.abs((shades[2] ?? 0) - 128)).toBeLessThan(4);
    expect(shades.slice(3)).toEqual([255, 255]);
  });

  it('shows CT that is stored without Hounsfield units between its percentiles', () => {
    const picture = pictureOf(
      volumeOf([8, 8, 80], UNIT, (_x, _y, z) => 1000 + 10 * z),
      'CT',
    );
    expect(picture.at(4, 1)).toBe(0);
    expect(Math.abs(picture.at(4, 0.5) - 128)).toBeLessThan(8);
  });

  it.each([
    ['a constant volume', volumeOf([9, 9, 9], UNIT, () => 7)],
    ['a volume of zeros', volumeOf([9, 9, 9], UNIT, () => 0)],
    ['a single slice', volumeOf([40, 30, 1], [1, 1, 0.001], (x) => x)],
    ['one voxel', volumeOf([1, 1, 1], UNIT, () => 1)],
    ['a volume without size', { ...volumeOf([9, 9, 9], UNIT, (x) => x), spacingMm: [0, 0, 0] as const }],
    ['a volume of unknown size', { ...volumeOf([9, 9, 9], UNIT, (x) => x), spacingMm: [NaN, 1, Infinity] as const }],
    ['a needle', volumeOf([1, 1, 5000], [0.1, 0.1, 3], (_x, _y, z) => z)],
  ])('makes a picture of %s', (_title, volume) => {
    const { width, height } = pictureOf(volume, undefined);
    expect(width).toBeLessThanOrEqual(292);
    expect(height).toBeLessThanOrEqual(96);
  });

  it('stays small even for noise', () => {
    const noise = volumeOf(CUBE, UNIT, (x, y, z) => Math.imul(x * 2304 + y * 48 + z + 1, 2654435761) >>> 20);
    expect(makeThumbnail(noise, 'MR').length).toBeLessThan(21_000);
    const smooth = volumeOf(CUBE, UNIT, (x, y, z) => x + 2 * y + 3 * z + (Math.imul(x + y + z, 2654435761) >>> 30));
    expect(makeThumbnail(smooth, 'MR').length).toBeLessThan(12_000);
  });
});

describeWithShelf('thumbnails of one brain in twelve orientations', (shelf) => {
  const folder = join(shelf, 'data/nifti-odd/orientations');

  it('are the same picture', async () => {
    const pictures = new Set<string>();
    const files = readdirSync(folder).filter((name) => name.endsWith('.nii.gz'));
    expect(files.length).toBeGreaterThanOrEqual(12);
    for (const name of files) {
      const volume = await readNiftiVolume(join(folder, name));
      pictures.add(Buffer.from(makeThumbnail(volume, 'MR')).toString('base64'));
    }
    expect(pictures.size).toBe(1);
  });
});
