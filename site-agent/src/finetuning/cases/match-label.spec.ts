import { rasLayout, reorientAffine } from '../../volumes/orientation.js';
import { matchLabel, requireSameGrid } from './match-label.js';

const files = { name: 'case-1', label: 'label.nii' };
const grid = (overrides: object = {}) => ({
  sizeVoxels: [10, 20, 30],
  affine: [1, 0, 0, 5, 0, 1, 0, 6, 0, 0, 2, 7, 0, 0, 0, 1],
  ...overrides,
});

describe('an image and its label', () => {
  it('accepts equal grids and header rounding', () => {
    expect(() => requireSameGrid(grid(), grid(), files)).not.toThrow();
    const rounded = grid({ affine: [1.0001, 0, 0, 5.01, 0, 1, 0, 6, 0, 0, 2, 7, 0, 0, 0, 1] });
    expect(() => requireSameGrid(grid(), rounded, files)).not.toThrow();
  });

  it.each([
    ['of another size', grid({ sizeVoxels: [10, 20, 31] }), /case-1.*label\.nii has 10x20x31 voxels, its image 10x20x30/],
    ['that is shifted', grid({ affine: [1, 0, 0, 8, 0, 1, 0, 6, 0, 0, 2, 7, 0, 0, 0, 1] }), /3\.00 mm away/],
    ['with another spacing', grid({ affine: [1, 0, 0, 5, 0, 1, 0, 6, 0, 0, 2.1, 7, 0, 0, 0, 1] }), /2\.90 mm away/],
    ['without a place', grid({ affine: [] }), /NaN mm/],
  ])('refuses a label %s, naming it', (_, label, message) => {
    expect(() => requireSameGrid(grid(), label, files)).toThrow(message);
    expect(() => requireSameGrid(grid(), label, files)).toThrow(expect.objectContaining({ code: 'TASK_INVALID' }) as Error);
  });

  it('are matched when rounding has let them be read with their axes in different orders', () => {
    const [a, b] = [Math.SQRT1_2, Math.SQRT1_2];
    const image = { sizeVoxels: [3, 4, 5], affine: [2 * a, -3 * b, 0, 5, 2 * b, 3 * a, 0, 6, 0, 0, 4, 7, 0, 0, 0, 1] };
    const voxels = Float32Array.from({ length: 60 }, (_, index) => index);
    const turn = { rasAxis: [1, 0, 2], flipped: [true, false, true] } as const;
    const { sizeVoxels, base, steps } = rasLayout(image.sizeVoxels, turn);
    const turned = new Float32Array(60);
    for (let x = 0; x < 3; x++)
      for (let y = 0; y < 4; y++)
        for (let z = 0; z < 5; z++) turned[base + x * steps[0] + y * steps[1] + z * steps[2]] = (x * 4 + y) * 5 + z;
    const label = { sizeVoxels, affine: reorientAffine(image.affine, turn, image.sizeVoxels), voxels: turned };
    expect([...matchLabel(image, label, files)]).toEqual([...voxels]);
  });

  it('lie as they are where their axes agree: nothing is copied', () => {
    const voxels = new Float32Array(6000);
    expect(matchLabel(grid(), { ...grid(), voxels }, files)).toBe(voxels);
  });
});
