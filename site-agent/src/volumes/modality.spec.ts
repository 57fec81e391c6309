import { join } from 'node:path';
import { FederationError, Random } from '@consilium/shared/kernel';
import { describeWithShelf } from '../../../test/fixtures/reference-shelf.js';
import { describeIntensities } from './intensity-statistics.js';
import { decideModality } from './modality.js';
import { readNiftiVolume } from './nifti/nifti-volume.js';
import type { Modality } from './volume.js';

function decide(voxels: Float32Array, hint?: Modality): string {
  try {
    return decideModality(voxels, describeIntensities(voxels), hint, '');
  } catch (error) {
    return error instanceof FederationError ? `${error.code}: ${error.message}` : String(error);
  }
}

/** Two thirds tissue around a level, one third background. */
function scan(background: number, level: number, spread: number, whole = true): Float32Array {
  const random = new Random('scan');
  return Float32Array.from({ length: 6000 }, (_, index) => {
    const value = index % 3 === 0 ? background : level + spread * (random.uniform() - 0.5);
    return whole ? Math.round(value) : value;
  });
}

describe('decideModality', () => {
  it('knows CT by its air and MR by its dark background', () => {
    expect(decide(scan(-1000, 40, 300))).toBe('CT');
    expect(decide(scan(-1024, 40, 300, false))).toBe('CT');
    expect(decide(scan(0, 600, 500))).toBe('MR');
    expect(decide(scan(0, 0.5, 0.4, false))).toBe('MR');
    expect(decide(scan(-20, 900, 300, false))).toBe('MR');
  });

  it('leaves doubt open: CT without its offset, statistic maps, values in between', () => {
    for (const voxels of [scan(0, 1064, 400), scan(-5, 0, 12, false), scan(-300, 40, 300), scan(-700.5, 40.5, 300, false)]) {
      expect(decide(voxels)).toMatch('VOLUME_UNSUITABLE: modality unknown');
    }
  });

  it('follows a hint, but not to call values CT that are no Hounsfield units', () => {
    expect(decide(scan(0, 1064, 400), 'MR')).toBe('MR');
    expect(decide(scan(-300, 40, 300), 'CT')).toBe('CT');
    // Parts of scans without air, as of a head, and with hardly anything else, as of a lung.
    expect(decide(scan(-56, 30, 90), 'CT')).toBe('CT');
    expect(decide(scan(-1000, -900, 40), 'CT')).toBe('CT');
    // Without its offset, scaled to [0, 1], and to mean 0 and deviation 1.
    for (const voxels of [scan(0, 1064, 400), scan(0, 0.5, 0.2, false), scan(-2, 0, 1, false)]) {
      expect(decide(voxels, 'CT')).toMatch('VOLUME_UNSUITABLE: said to be CT, but values from');
    }
  });

  it('in doubt names the remedy of those who ask', () => {
    const voxels = scan(-300, 40, 300);
    expect(() => decideModality(voxels, describeIntensities(voxels), undefined, 'Say it.')).toThrow(
      expect.objectContaining({ remedy: 'Say it.' }) as Error,
    );
  });
});

describeWithShelf('modality of real scans', (shelf) => {
  it.each([
    ['site-a/brain_flair_stroke01', 'MR'],
    ['site-b/spleen_ct_01', 'CT'],
    ['site-b/chest_ct_01', 'CT'],
    ['site-d/spine_t2_02', 'MR'],
    ['site-a/head_ct_02', 'VOLUME_UNSUITABLE: modality unknown'],
  ])('%s: %s', async (name, expected) => {
    expect(decide((await readNiftiVolume(join(shelf, 'data/pretrain', `${name}.nii.gz`))).voxels)).toMatch(expected);
  });
});
