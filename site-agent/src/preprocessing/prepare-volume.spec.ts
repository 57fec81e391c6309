import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { preparationPlanSchema } from '@consilium/shared/wire';
import { PROJECT_ROOT } from '../../../test/fixtures/reference-shelf.js';
import type { Modality, Triple } from '../volumes/volume.js';
import { resizeCrop } from './multi-scale.js';
import { fingerprintOf, prepareVolume } from './prepare-volume.js';
import { gridAtSpacing, inverseMap, resampleLabels } from './resampling/resample-volume.js';

interface Goldens {
  readonly volumes: readonly {
    readonly name: string;
    readonly modality: Modality;
    readonly plan: object;
    readonly sizeVoxels: Triple;
    readonly spacingMm: Triple;
    readonly affine: readonly number[];
    readonly voxels: string;
    readonly prepared: {
      readonly sizeVoxels: Triple;
      readonly affine: readonly number[];
      readonly airThreshold: number;
      readonly voxels: string;
    };
  }[];
  readonly labels: {
    readonly sizeVoxels: Triple;
    readonly spacingMm: Triple;
    readonly wanted: Triple;
    readonly labels: string;
    readonly result: string;
    readonly resultSize: Triple;
  };
  readonly crops: readonly {
    readonly sizeVoxels: Triple;
    readonly toSize: Triple;
    readonly crop: string;
    readonly result: string;
  }[];
}

const goldens = JSON.parse(readFileSync(join(PROJECT_ROOT, 'test/fixtures/preparation-goldens/goldens.json'), 'utf8')) as Goldens;

function floats(text: string): Float32Array {
  return new Float32Array(Uint8Array.from(Buffer.from(text, 'base64')).buffer);
}

function largestDifference(actual: Float32Array, wanted: Float32Array): number {
  expect(actual).toHaveLength(wanted.length);
  return actual.reduce((most, value, index) => Math.max(most, Math.abs(value - (wanted[index] ?? NaN))), 0);
}

const plan = (fields: object = {}) => preparationPlanSchema.parse(fields);
const IDENTITY = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
const made = (sizeVoxels: Triple, voxels: Float32Array, spacingMm: Triple = [1, 1, 1]) => ({
  sizeVoxels,
  spacingMm,
  affine: IDENTITY,
  voxels,
});

describe('prepareVolume beside NumPy and SciPy', () => {
  it.each(goldens.volumes)('$name', ({ modality, plan: fields, sizeVoxels, spacingMm, affine, voxels, prepared }) => {
    const result = prepareVolume({ sizeVoxels, spacingMm, affine, voxels: floats(voxels) }, modality, plan(fields));
    expect(result.sizeVoxels).toEqual(prepared.sizeVoxels);
    expect(largestDifference(result.voxels, floats(prepared.voxels))).toBeLessThan(1e-4);
    expect(result.airThreshold).toBeCloseTo(prepared.airThreshold, 5);
    result.affine.forEach((value, index) => expect(value).toBeCloseTo(prepared.affine[index] ?? NaN, 9));
  });

  it('labels take the nearest voxel', () => {
    const { sizeVoxels, spacingMm, wanted, labels, result, resultSize } = goldens.labels;
    const { from, sizeVoxels: size } = gridAtSpacing({ sizeVoxels, spacingMm, affine: IDENTITY }, wanted);
    expect(size).toEqual(resultSize);
    const target = new Float32Array(size[0] * size[1] * size[2]);
    expect(resampleLabels(floats(labels), from, target)).toEqual(floats(result));
  });

  it.each(goldens.crops)('a crop of $sizeVoxels becomes a patch of $toSize', ({ sizeVoxels, toSize, crop, result }) => {
    expect(largestDifference(resizeCrop(floats(crop), sizeVoxels, toSize), floats(result))).toBeLessThan(1e-5);
  });
});

describe('prepareVolume', () => {
  it('keeps physical size: the middle stays, the extent changes by less than half a voxel', () => {
    const { sizeVoxels, spacingMm, affine } = gridAtSpacing(
      { sizeVoxels: [100, 31, 7], spacingMm: [0.7, 1.1, 5], affine: [0.7, 0, 0, -3, 0, 1.1, 0, 4, 0, 0, 5, 8, 0, 0, 0, 1] },
      [1, 1, 2.4],
    );
    expect(sizeVoxels).toEqual([70, 34, 15]);
    expect(spacingMm).toEqual([1, 1, 2.4].map((value) => expect.closeTo(value, 12) as number));
    const middle = (axis: 0 | 1 | 2): number =>
      (affine[5 * axis] ?? 0) * ((sizeVoxels[axis] - 1) / 2) + (affine[4 * axis + 3] ?? 0);
    expect([middle(0), middle(1), middle(2)]).toEqual(
      [-3 + 0.7 * 49.5, 4 + 1.1 * 15, 8 + 5 * 3].map((value) => expect.closeTo(value, 9) as number),
    );
  });

  it('labels come back on the grid they were drawn on', () => {
    const grid = { sizeVoxels: [12, 9, 5] as Triple, spacingMm: [1, 1, 4] as Triple, affine: IDENTITY };
    const labels = Uint8Array.from({ length: 540 }, (_, index) => (Math.floor(index / 45) > 5 ? 2 : 1));
    const { from, sizeVoxels } = gridAtSpacing(grid, [0.5, 0.5, 1]);
    const fine = resampleLabels(labels, from, new Uint8Array(sizeVoxels[0] * sizeVoxels[1] * sizeVoxels[2]));
    expect(resampleLabels(fine, inverseMap(from), new Uint8Array(540))).toEqual(labels);
  });

  it('a constant volume is air everywhere, or one even grey in CT; its crop is all of it', () => {
    const flat = (value: number) => made([9, 9, 9], new Float32Array(729).fill(value));
    const fields = plan({ cropMarginMm: 0, spacingMm: [2, 2, 2], interpolation: 'cubic' });
    for (const [modality, value, wanted] of [
      ['MR', 7, 0],
      ['MR', 0, 0],
      ['CT', -1000, 0],
      ['CT', 0, 0.5],
    ] as const) {
      const prepared = prepareVolume(flat(value), modality, fields);
      expect(prepared.sizeVoxels).toEqual([5, 5, 5]);
      for (const voxel of prepared.voxels) expect(voxel).toBeCloseTo(wanted, 6);
    }
    const scored = prepareVolume(flat(3), 'MR', plan({ intensity: 'z-score' }));
    expect([...new Set(scored.voxels)]).toEqual([0]);
  });

  it('values that are not finite become the smallest, and none is left', () => {
    const voxels = Float32Array.from({ length: 512 }, (_, index) =>
      index % 7 === 0 ? NaN : index % 11 === 0 ? Infinity : index,
    );
    for (const fields of [{}, { intensity: 'z-score' }, { spacingMm: [0.7, 0.7, 0.7], interpolation: 'cubic' }] as const) {
      const prepared = prepareVolume(made([8, 8, 8], voxels.slice()), 'MR', plan(fields));
      expect(prepared.voxels.every(Number.isFinite)).toBe(true);
      expect(prepared.voxels[0]).toBe(Math.min(...prepared.voxels));
    }
    const nothing = prepareVolume(made([2, 2, 2], new Float32Array(8).fill(NaN)), 'CT', plan());
    expect([...nothing.voxels]).toEqual(new Array(8).fill(0.5)); // 0 HU for want of anything better
  });

  it('one voxel, and thin volumes, keep at least one voxel along each axis', () => {
    const one = prepareVolume(made([1, 1, 1], Float32Array.of(-150)), 'CT', plan({ spacingMm: [5, 5, 5] }));
    expect([one.sizeVoxels, one.voxels[0]]).toEqual([[1, 1, 1], expect.closeTo(0.425, 6)]);
    const thin = prepareVolume(made([30, 30, 1], new Float32Array(900).fill(500)), 'CT', plan({ spacingMm: [1, 1, 3] }));
    expect(thin.sizeVoxels).toEqual([30, 30, 1]);
  });

  it('averages before it makes coarser: no aliasing of a fine pattern', () => {
    const stripes = Float32Array.from({ length: 16 ** 3 }, (_, index) => (index % 2 === 0 ? -1000 : 1000));
    const prepared = prepareVolume(made([16, 16, 16], stripes), 'CT', plan({ spacingMm: [1, 1, 2] }));
    for (const voxel of prepared.voxels) expect(voxel).toBeCloseTo(0.5, 6);
  });

  it('cubic overshoot stays within the window', () => {
    const edge = Float32Array.from({ length: 512 }, (_, index) => (index % 8 < 4 ? -1000 : 1000));
    const prepared = prepareVolume(made([8, 8, 8], edge), 'CT', plan({ spacingMm: [0.5, 0.5, 0.5], interpolation: 'cubic' }));
    expect([Math.min(...prepared.voxels), Math.max(...prepared.voxels)]).toEqual([0, 1]);
  });

  it('names what decides the voxels, the element type included', () => {
    const names = [{}, { elementType: 'f16' }, { spacingMm: [1, 1, 1] }, { cropMarginMm: 0 }, { intensity: 'z-score' }];
    expect(new Set(names.map((fields) => fingerprintOf(plan(fields)))).size).toBe(names.length);
    expect(fingerprintOf(plan({ interpolation: 'trilinear' }))).toBe(fingerprintOf(plan()));
  });
});
