import { join } from 'node:path';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { writeNifti } from '../../../../test/fixtures/make-volume.js';
import { normaliseIntensity } from '../../preprocessing/intensity.js';
import { resampleLabels } from '../../preprocessing/resampling/resample-volume.js';
import { readNiftiVolume } from '../../volumes/nifti/nifti-volume.js';
import type { Volume } from '../../volumes/volume.js';
import { classMapOf } from '../../../../test/fixtures/class-map-of.js';
import { countOverlap, dice } from '../answers/metrics.js';
import { onOwnGrid, prepareImage } from './prepare-image.js';

let folder = '';
let volume: Volume;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'prepare-image-'));
  const path = writeNifti(join(folder, 'scan.nii'), {
    sizes: [40, 36, 9],
    spacingMm: [1, 1.2, 5],
    value: (i, j, k) => (insideBall(i, j, k) ? 700 : 100) + ((i * 7 + j * 5 + k * 3) % 11),
  });
  volume = await readNiftiVolume(path);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A ball of 15 mm about the middle, in stored voxels. */
function insideBall(i: number, j: number, k: number): boolean {
  return Math.hypot(i - 19.5, (j - 17.5) * 1.2, (k - 4) * 5) < 15;
}

const ballMap = (): Uint8Array => Uint8Array.from(volume.voxels, (value) => (value > 400 ? 1 : 0));
const asAnswers = (map: Uint8Array): Float32Array => Float32Array.from(map, (value) => (value === 1 ? 0.98 : 0.02));

describe('an image prepared for a network', () => {
  it('has the intensities of pretraining on its own grid', () => {
    const expected = normaliseIntensity(volume, 'MR');
    const { intensities, fromOwn, sizeVoxels } = prepareImage(volume, undefined, { modality: 'MR' });
    expect([fromOwn, sizeVoxels]).toEqual([undefined, [40, 36, 9]]);
    expect(intensities).toEqual(expected);
  });

  it("has the size that its spacing asks for; the window is still that of the scanner's voxels", () => {
    const { sizeVoxels, intensities } = prepareImage(volume, 'MR', { spacingMm: [2, 2, 2] });
    expect(sizeVoxels).toEqual([20, 22, 23]); // 36 · 1.2 / 2 = 21.6 and 9 · 5 / 2 = 22.5
    expect(intensities).toHaveLength(20 * 22 * 23);
    expect(Math.max(...intensities)).toBeLessThanOrEqual(1);
  });

  it('decides by header, then plan, then values; a contradiction is refused', () => {
    expect(() => prepareImage(volume, 'MR', { modality: 'CT' })).toThrow(/header says MR, but CT is expected/);
    expect(() => prepareImage(volume, undefined, { modality: 'CT' })).toThrow(/not Hounsfield units/);
    const hounsfield = { ...volume, voxels: volume.voxels.map((value, index) => (index % 3 === 0 ? -1000 : value)) };
    const second = volume.voxels[1] ?? NaN;
    const { intensities } = prepareImage(hounsfield, undefined, {});
    expect(intensities[0]).toBe(0);
    expect(intensities[1]).toBeCloseTo((second + 1000) / 2000, 6); // the CT window
    expect(() => prepareImage(volume, undefined, {})).not.toThrow();
  });

  it('is refused as Hounsfield units where MR is expected of all, and taken when it is said of this one', () => {
    const hounsfield = (): Volume => ({
      ...volume,
      voxels: volume.voxels.map((value, index) => (index % 3 === 0 ? -1000 : value)),
    });
    expect(() => prepareImage(hounsfield(), undefined, { modality: 'MR' })).toThrow(
      /Hounsfield units, as of CT, but MR is expected/,
    );
    expect(prepareImage(hounsfield(), 'MR', { modality: 'MR' }).modality).toBe('MR');
  });

  it('takes other windows than the published ones where the plan says so', () => {
    const values = volume.voxels.slice();
    const { intensities } = prepareImage(volume, 'MR', { percentiles: [0, 100] });
    expect(intensities[values.indexOf(Math.max(...values))]).toBe(1);
    const hounsfield = { ...volume, voxels: values.map((value, index) => (index === 0 ? -1000 : value)) };
    const windowed = prepareImage(hounsfield, 'CT', { ctWindowHu: [-200, 600] }).intensities;
    expect(windowed[1]).toBeCloseTo(((values[1] ?? NaN) + 200) / 800, 6);
  });

  it('refuses a spacing that asks for more voxels than fit anywhere', () => {
    expect(() => prepareImage(volume, 'MR', { spacingMm: [0.05, 0.05, 0.05] })).toThrow(/it would have 800 × 864 × 900 voxels/);
  });
});

describe('answers brought back to the scan', () => {
  it.each([[[1, 1, 1]], [[2, 2, 2]], [[1, 1.2, 2.5]], [[0.7, 0.9, 6]]] as const)(
    'cover the label again after a way through voxels of %p mm',
    (spacingMm) => {
      const truth = ballMap();
      const { fromOwn, intensities } = prepareImage(volume, 'MR', { spacingMm: [...spacingMm] as [number, number, number] });
      if (fromOwn === undefined) throw new Error('nothing was resampled');
      const resampled = resampleLabels(truth, fromOwn, new Uint8Array(intensities.length));
      const back = classMapOf(onOwnGrid(asAnswers(resampled), fromOwn, 1), 1);
      expect(back).toHaveLength(truth.length);
      const [overlap] = countOverlap(back, truth, 1);
      expect(overlap && dice(overlap)).toBeGreaterThan(0.9);
    },
  );

  it('are interpolated for each class by itself', () => {
    const { fromOwn, intensities } = prepareImage(volume, 'MR', { spacingMm: [2, 2, 2] });
    const [one, two] = [0.37, 11].map((step) => Float32Array.from(intensities, (_, index) => Math.abs(Math.sin(index * step))));
    if (one === undefined || two === undefined) throw new Error('two classes are wanted');
    const both = new Float32Array(2 * one.length);
    one.forEach((value, voxel) => both.set([value, two[voxel] ?? 0], 2 * voxel));
    const together = onOwnGrid(both, fromOwn, 2);
    expect(together.filter((_, index) => index % 2 === 0)).toEqual(onOwnGrid(one, fromOwn, 1));
    expect(together.filter((_, index) => index % 2 === 1)).toEqual(onOwnGrid(two, fromOwn, 1));
  });

  it('between two voxels lie between their values, where a nearest mask would have steps', () => {
    const { fromOwn, sizeVoxels } = prepareImage(volume, 'MR', { spacingMm: [4, 1.2, 5] });
    const ramp = Float32Array.from({ length: 10 * 36 * 9 }, (_, index) => Math.floor(index / (36 * 9)) / 10);
    expect(sizeVoxels).toEqual([10, 36, 9]);
    const back = onOwnGrid(ramp, fromOwn, 1);
    const alongX = [4, 5, 6, 7, 8].map((x) => back[x * 36 * 9] ?? NaN);
    alongX.slice(1).forEach((value, index) => expect(value - (alongX[index] ?? NaN)).toBeCloseTo(0.025, 5));
  });

  it("are not touched on the scan's own grid", () => {
    const answers = new Float32Array(8);
    expect(onOwnGrid(answers, undefined, 2)).toBe(answers);
  });
});
