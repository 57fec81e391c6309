import { scalesPlanSchema } from '@consilium/shared/wire';
import { resizeCrop, scaleOfVisit, scalesOf } from './multi-scale.js';

const plan = (fields: object = {}) => scalesPlanSchema.parse(fields);
const MM = [1, 1, 1] as const;

describe('scalesOf', () => {
  it('offers three sizes to a volume that has room for them', () => {
    expect(scalesOf({ sizeVoxels: [512, 512, 300], spacingMm: MM }, plan())).toEqual([
      { label: 0, sizeVoxels: [128, 128, 64] },
      { label: 1, sizeVoxels: [64, 64, 32] },
      { label: 2, sizeVoxels: [32, 32, 16] },
    ]);
  });

  it('takes whole axes that are too short, and leaves a scale out below 96 voxels in-plane', () => {
    const sizes = (sizeVoxels: readonly [number, number, number]) => scalesOf({ sizeVoxels, spacingMm: MM }, plan());
    expect(sizes([96, 500, 20])[0]).toEqual({ label: 0, sizeVoxels: [96, 128, 20] });
    expect(sizes([95, 500, 200]).map(({ label }) => label)).toEqual([1, 2]);
    expect(sizes([500, 47, 200]).map(({ label }) => label)).toEqual([2]);
    expect(sizes([23, 23, 9])).toEqual([{ label: 2, sizeVoxels: [32, 32, 16] }]); // in the middle of air
  });

  it('measures in millimetres where the plan does', () => {
    const scales = scalesOf({ sizeVoxels: [400, 400, 60], spacingMm: [0.5, 0.5, 4] }, plan({ unit: 'millimetres' }));
    expect(scales.map(({ sizeVoxels }) => sizeVoxels)).toEqual([
      [256, 256, 16],
      [128, 128, 8],
      [64, 64, 4],
    ]);
  });
});

describe('scaleOfVisit', () => {
  it('draws each scale equally often, in an order of the stream', () => {
    const scales = scalesOf({ sizeVoxels: [512, 512, 300], spacingMm: MM }, plan());
    const labels = Array.from({ length: 33 }, (_, visit) => scaleOfVisit(scales, visit, 's').label);
    for (const label of [0, 1, 2]) expect(labels.filter((drawn) => drawn === label)).toHaveLength(11);
    expect(Array.from({ length: 33 }, (_, visit) => scaleOfVisit(scales, visit, 's').label)).toEqual(labels);
    expect(Array.from({ length: 33 }, (_, visit) => scaleOfVisit(scales, visit, 't').label)).not.toEqual(labels);
  });
});

describe('resizeCrop', () => {
  it('averages the large crop in blocks and leaves the medium as it is', () => {
    const crop = Float32Array.from({ length: 4 * 4 * 4 }, (_, index) => index);
    const small = resizeCrop(crop, [4, 4, 4], [2, 2, 2]);
    expect(small[0]).toBe((0 + 1 + 4 + 5 + 16 + 17 + 20 + 21) / 8);
    expect(resizeCrop(crop, [4, 4, 4], [4, 4, 4])).toBe(crop);
  });
});
