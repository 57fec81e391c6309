import { requireEveryClass, requireSameGrid, toClassMap, toLabelValues } from './labelled-case.js';

const classes = [
  { name: 'anterior', labels: [1] },
  { name: 'rest', labels: [7, 2] },
];
const files = { name: 'case-1', image: 'image.nii', label: 'label.nii' };
const grid = (overrides: object = {}) => ({
  sizeVoxels: [10, 20, 30],
  affine: [1, 0, 0, 5, 0, 1, 0, 6, 0, 0, 2, 7, 0, 0, 0, 1],
  ...overrides,
});

describe('labelled case', () => {
  it('maps label values to classes and each class back to its first label', () => {
    const map = toClassMap(Float32Array.of(0, 1, 2, 7, 3, 1.0000001), classes);
    expect([...map]).toEqual([0, 1, 2, 2, 0, 1]);
    expect([...toLabelValues(map, classes)]).toEqual([0, 1, 7, 7, 0, 1]);
  });

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

  it('refuses a class that no training label holds, naming it and its values', () => {
    const labelled = {
      name: 'a',
      sizeVoxels: [1, 1, 3] as const,
      intensities: new Float32Array(3),
      classMap: Uint8Array.of(0, 1, 0),
    };
    expect(() => requireEveryClass([labelled], classes)).toThrow(/no training label holds rest \(7, 2\)/);
    expect(() => requireEveryClass([labelled, { ...labelled, classMap: Uint8Array.of(2, 0, 0) }], classes)).not.toThrow();
  });
});
