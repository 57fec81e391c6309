import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROJECT_ROOT } from '../../../test/fixtures/reference-shelf.js';
import { readNiftiVolume } from './nifti/nifti-volume.js';
import { closestOrientation } from './orientation.js';

/** What nibabel's as_closest_canonical makes of a file; see make-goldens.py beside the data. */
interface Golden {
  readonly name: string;
  readonly file: string;
  readonly shape: number[];
  readonly affine: number[];
  readonly values: number[];
}

const goldens = JSON.parse(readFileSync(join(PROJECT_ROOT, 'test/fixtures/nifti-goldens/goldens.json'), 'utf8')) as Golden[];

describe('orientation as nibabel sees it', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'goldens-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it.each(goldens.map((golden) => [golden.name, golden] as const))('%s', async (_name, golden) => {
    const path = join(folder, 'golden.nii');
    writeFileSync(path, Buffer.from(golden.file, 'base64'));
    const volume = await readNiftiVolume(path);
    expect(volume.sizeVoxels).toEqual(golden.shape);
    expect([...volume.voxels]).toEqual(golden.values);
    volume.affine.forEach((entry, index) => expect(entry).toBeCloseTo(golden.affine[index] ?? NaN, 9));
  });
});

describe('closestOrientation', () => {
  it('gives each stored axis an axis of its own, also when two point almost alike', () => {
    const orientation = closestOrientation([1, 0.99, 0, 0, 0, 0.05, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
    expect([...(orientation?.rasAxis ?? [])].sort()).toEqual([0, 1, 2]);
  });

  it('is undefined for a singular matrix', () => {
    expect(closestOrientation([1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1])).toBeUndefined();
  });
});
