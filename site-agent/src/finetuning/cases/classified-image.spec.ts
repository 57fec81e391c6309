import type { StoredGeometry, Triple } from '../../volumes/volume.js';
import { classifierRegion, inputOf } from './classified-image.js';

/** Intensities that name their voxel. */
const sizeVoxels: Triple = [20, 24, 12];
const image = {
  sizeVoxels,
  intensities: Float32Array.from({ length: 20 * 24 * 12 }, (_, index) => index + 1),
  fromOwn: undefined,
};
const at = (x: number, y: number, z: number) => (x * 24 + y) * 12 + z + 1;

/** Stored as z from above, x from the right, y. */
const turned: StoredGeometry = {
  sizeVoxels: [12, 20, 24],
  affine: [],
  rasAxis: [2, 0, 1],
  flipped: [true, true, false],
  headerBytes: undefined,
};
const plan = { input: 'patch', fit: 'resize', patchSizeVoxels: [8, 8, 8] } as const;
const middle = (input: Float32Array) => input[(4 * 8 + 4) * 8 + 4];

describe('patches for a classifier', () => {
  it("have the named voxel of the file in their middle, whatever the file's axes", () => {
    for (const [x, y, z] of [
      [10, 12, 6],
      [0, 23, 11],
      [19, 0, 0],
    ] as const) {
      const region = classifierRegion(image, turned, [11 - z, 19 - x, y], plan);
      expect(middle(inputOf(region, [8, 8, 8]))).toBe(at(x, y, z));
    }
  });

  it('are zero beyond the image, and keep what lies around them for turning', () => {
    const region = classifierRegion(image, turned, [11, 19, 0], plan);
    const input = inputOf(region, [8, 8, 8]);
    expect(input.filter((value) => value === 0)).toHaveLength(512 - 64);
    expect(region.sizeVoxels).toEqual([6, 6, 6]);
    expect(classifierRegion(image, turned, [6, 10, 12], plan).sizeVoxels).toEqual([12, 12, 12 - 1]);
  });

  it('follow the image to another grid', () => {
    const axis = (inputs: number, outputs: number) => ({ inputs, outputs, first: 0.5, step: 2 });
    const half = {
      sizeVoxels: [10, 12, 6] as Triple,
      intensities: Float32Array.from({ length: 720 }, (_, index) => index + 1),
      fromOwn: [axis(20, 10), axis(24, 12), axis(12, 6)] as const,
    };
    const region = classifierRegion(half, turned, [11 - 6, 19 - 11, 4], plan);
    expect(middle(inputOf(region, [8, 8, 8]))).toBe((5 * 12 + 2) * 6 + 3 + 1);
  });

  it('are refused without a centre, or with one outside of the image', () => {
    expect(() => classifierRegion(image, turned, undefined, plan)).toThrow(/no centre/);
    expect(() => classifierRegion(image, turned, [12, 0, 0], plan)).toThrow(/12, 0, 0 lies outside of its 12 × 20 × 24/);
  });
});

describe('whole images for a classifier', () => {
  it('are stretched: every voxel of the input is the mean of what it stands for', () => {
    const whole = { ...plan, input: 'whole', patchSizeVoxels: [10, 24, 12] } as const;
    const input = inputOf(classifierRegion(image, turned, undefined, whole), [10, 24, 12]);
    expect(input[0]).toBeCloseTo((at(0, 0, 0) + at(1, 0, 0)) / 2, 3);
    expect(input.at(-1)).toBeCloseTo((at(18, 23, 11) + at(19, 23, 11)) / 2, 3);
  });

  it('lie in the middle of zeros where they are padded, and are refused when too large', () => {
    const padded = { ...plan, input: 'whole', fit: 'pad', patchSizeVoxels: [24, 24, 16] } as const;
    const input = inputOf(classifierRegion(image, turned, undefined, padded), [24, 24, 16]);
    expect(input.filter((value) => value > 0)).toHaveLength(20 * 24 * 12);
    expect(input[(2 * 24 + 0) * 16 + 2]).toBe(1);
    expect(() => classifierRegion(image, turned, undefined, { ...padded, patchSizeVoxels: [16, 24, 16] })).toThrow(
      /20 × 24 × 12 voxels, more than/,
    );
  });
});
