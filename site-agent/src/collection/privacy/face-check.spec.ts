import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describeWithShelf } from '../../../../test/fixtures/reference-shelf.js';
import { readNiftiVolume } from '../../volumes/nifti/nifti-volume.js';
import type { Modality, Triple, Volume } from '../../volumes/volume.js';
import { looksLikeFace } from './face-check.js';

/** Half axes in millimetres of a made head; its vertex is 10 mm below the top of the volume. */
interface MadeHead {
  readonly spacingMm?: Triple;
  readonly skull?: boolean;
  /** From here below the vertex down, the front is cut away, as tools do that remove faces. */
  readonly defacedBelowMm?: number;
  readonly widthMm?: number;
  readonly lengthMm?: number;
  readonly heightMm?: number;
}

const SIZE_MM = [200, 240, 200] as const;

/** An egg with scalp, bone and brain in MR values, with a chin in front. */
function madeHead({
  spacingMm = [2, 2, 2],
  skull = true,
  defacedBelowMm = 999,
  widthMm = 150,
  lengthMm = 190,
  heightMm = 200,
}: MadeHead): Volume {
  const sizeVoxels: Triple = [SIZE_MM[0] / spacingMm[0], SIZE_MM[1] / spacingMm[1], Math.floor(heightMm / spacingMm[2])];
  const voxels = new Float32Array(sizeVoxels[0] * sizeVoxels[1] * sizeVoxels[2]);
  for (let x = 0, at = 0; x < sizeVoxels[0]; x++) {
    for (let y = 0; y < sizeVoxels[1]; y++) {
      for (let z = 0; z < sizeVoxels[2]; z++, at++) {
        const [right, front] = [(x + 0.5) * spacingMm[0] - SIZE_MM[0] / 2, (y + 0.5) * spacingMm[1] - SIZE_MM[1] / 2];
        const below = heightMm - 10 - (z + 0.5) * spacingMm[2];
        // A half ellipsoid above, a tube below 80 mm.
        const rise = below < 0 ? 9 : below < 80 ? below / 80 - 1 : 0;
        const depth = 1 - ((right / (widthMm / 2)) ** 2 + (front / (lengthMm / 2)) ** 2 + rise ** 2) ** 0.5;
        if (depth < 0 || (below > defacedBelowMm && front > 0)) continue;
        voxels[at] = depth > 0.18 || !skull ? 600 : depth > 0.09 ? 100 : 900;
      }
    }
  }
  const affine = [spacingMm[0], 0, 0, 0, 0, spacingMm[1], 0, 0, 0, 0, spacingMm[2], 0, 0, 0, 0, 1];
  const source = { sizeVoxels, affine, rasAxis: [0, 1, 2], flipped: [false, false, false], headerBytes: undefined } as const;
  return { sizeVoxels, spacingMm, affine, voxels, repairedVoxels: 0, source };
}

describe('looksLikeFace on made heads', () => {
  it('notices a head with a face', () => expect(looksLikeFace(madeHead({}), 'MR', undefined)).toBe(true));

  it('notices it in thick slices', () => {
    expect(looksLikeFace(madeHead({ spacingMm: [1, 1, 6] }), 'MR', 'HEAD')).toBe(true);
  });

  it('knows no unit of MR', () => {
    const { voxels, ...rest } = madeHead({});
    expect(looksLikeFace({ ...rest, voxels: voxels.map((value) => value * 0.001) }, 'MR', undefined)).toBe(true);
  });

  it.each([
    ['a head without bone', madeHead({ skull: false })],
    ['a head whose face was cut away', madeHead({ defacedBelowMm: 80 })],
    ['a slab', madeHead({ heightMm: 60 })],
    ['a body', madeHead({ widthMm: 190, lengthMm: 150 })],
    ['a constant', { ...madeHead({}), voxels: new Float32Array(80 * 96 * 80).fill(3) }],
    ['a volume as large as a house', { ...madeHead({}), spacingMm: [500, 500, 500] as const }],
    ['a volume of unknown size', { ...madeHead({}), spacingMm: [NaN, Infinity, 0] as const }],
    ['nothing', { ...madeHead({}), voxels: new Float32Array(80 * 96 * 80) }],
  ])('is silent on %s', (_title, volume) => expect(looksLikeFace(volume, 'MR', undefined)).toBe(false));

  it('believes a header that names another part of the body', () => {
    expect(looksLikeFace(madeHead({}), 'MR', 'LOWER LEG')).toBe(false);
    expect(looksLikeFace(madeHead({}), 'MR', 'HEADNECK')).toBe(true);
  });
});

const FACES: Readonly<Record<string, boolean>> = {
  'site-a/brain_flair_glioma02.nii.gz': true,
  'site-a/brain_flair_glioma03.nii.gz': true,
  'site-a/brain_flair_stroke01.nii.gz': false, // brain-extracted
  'site-a/brain_slab_t1_01.nii.gz': false, // 18 mm of the vault
  'site-a/brain_slab_t1_09.nii.gz': false,
  'site-a/brain_t1_adult01.nii.gz': true,
  'site-a/brain_t1_child01.nii.gz': true,
  'site-a/brain_t1_implant01.nii.gz': true,
  'site-a/brain_t1_stroke01.nii.gz': false, // brain-extracted
  'site-a/brain_t1post_glioma02.nii.gz': true,
  'site-a/brain_t1post_glioma03.nii.gz': true,
  'site-a/brain_t2_glioma02.nii.gz': true,
  'site-a/brain_t2_glioma03.nii.gz': true,
  'site-a/brain_t2_stroke01.nii.gz': false, // brain-extracted
  'site-a/head_ct_01.nii.gz': true,
  'site-a/head_ct_02.nii.gz': false, // a miss: nose to neck, without the vault that the rule starts from
  'site-b/headneck_ct_01.nii.gz': true,
};

describeWithShelf('looksLikeFace on real scans', (shelf) => {
  const sites = ['site-a', 'site-b', 'site-c', 'site-d'];
  // Of each kind of limb and kidney scan, one.
  const names = sites
    .flatMap((site) => readdirSync(join(shelf, 'data/pretrain', site)).map((name) => `${site}/${name}`))
    .filter((name) => name.endsWith('.nii.gz') && !/(limb|kidney|lung).*(0[2-9]|1\d|0[46])\.nii/.test(name));
  const modalityOf = (name: string): Modality | undefined => {
    if (name.includes('head_ct_02')) return undefined;
    return name.includes('_ct_') ? 'CT' : 'MR';
  };

  it.each(names)('%s', async (name) => {
    const volume = await readNiftiVolume(join(shelf, 'data/pretrain', name));
    expect(looksLikeFace(volume, modalityOf(name), undefined)).toBe(FACES[name] ?? false);
  });

  it('finds every file of the table', () => expect(names).toEqual(expect.arrayContaining(Object.keys(FACES))));

  it('is silent on extracted brains in any orientation', async () => {
    for (const orientation of ['RAS', 'PSR', 'IPL']) {
      const volume = await readNiftiVolume(join(shelf, `data/nifti-odd/orientations/${orientation}.nii.gz`));
      expect(looksLikeFace(volume, 'MR', undefined)).toBe(false);
    }
  });
});
