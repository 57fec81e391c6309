import { namesOfImages } from './case-names.js';

const named = (...paths: string[]): string[] => {
  const names = namesOfImages(paths);
  return paths.map((path) => names.get(path) ?? '');
};

describe('namesOfImages', () => {
  it('calls a case as its file, and takes folders only where they are needed', () => {
    expect(named('/scans/a.nii.gz', '/scans/b.nii', '/other/c.dcm')).toEqual(['a', 'b', 'c']);
    expect(named('/scans/p7/ct.nii.gz', '/scans/p8/ct.nii.gz', '/scans/d.nii')).toEqual(['p7-ct', 'p8-ct', 'd']);
    expect(named('/x/p7/day1/ct.nii', '/x/p8/day1/ct.nii', '/x/p8/day2/ct.nii')).toEqual(['p7-day1-ct', 'p8-day1-ct', 'day2-ct']);
  });

  it('gives one image one name, and leaves alike what no folder tells apart', () => {
    expect(named('/scans/a.nii', '/scans/a.nii')).toEqual(['a', 'a']);
    expect(named('/scans/ct.nii', '/scans/ct.nii.gz')).toEqual(['ct', 'ct']);
    expect(named('/a-b/c.nii', '/a/b/c.nii')).toHaveLength(2);
    expect(named()).toEqual([]);
  });
});
