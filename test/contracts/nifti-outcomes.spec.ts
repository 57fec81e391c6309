import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';
import { readNiftiHeader } from '../../site-agent/src/volumes/nifti/nifti-scan.js';
import { readNiftiVolumes } from '../../site-agent/src/volumes/nifti/nifti-volume.js';
import type { ScanHeader } from '../../site-agent/src/volumes/scan-header.js';
import type { Volume } from '../../site-agent/src/volumes/volume.js';
import { describeWithShelf, PROJECT_ROOT } from '../fixtures/reference-shelf.js';

/** What nibabel reads; see make-shelf-goldens.py beside the data. */
interface ShelfGolden {
  readonly shape: readonly number[];
  readonly orientation: string;
  readonly affine: readonly number[];
  readonly frames: readonly string[];
}

type Outcome = { readonly header: ScanHeader; readonly volumes: readonly Volume[] } | { readonly refused: string };

const goldens = JSON.parse(
  readFileSync(join(PROJECT_ROOT, 'test/fixtures/nifti-goldens/shelf-goldens.json'), 'utf8'),
) as Readonly<Record<string, ShelfGolden>>;

/** What becomes of each unusual file: nothing to say ("ok"), a remark, or the reason why it is refused. */
const OUTCOMES: Readonly<Record<string, string>> = {
  'colour-complex/complex_complex32.nii': 'UNSUITABLE its voxels are complex numbers, not real numbers',
  'colour-complex/complex_complex64.nii': 'UNSUITABLE its voxels are complex numbers, not real numbers',
  'colour-complex/rgb_3D.nii': 'UNSUITABLE its voxels are RGB colours, not real numbers',
  'colour-complex/rgb_4D.nii': 'UNSUITABLE its voxels are RGB colours, not real numbers',
  'colour-complex/rgba_4D.nii': 'UNSUITABLE its voxels are RGBA colours, not real numbers',
  'derived/bad_datatype.nii.gz': 'UNREADABLE unknown data type 9999',
  'derived/bad_magic.nii.gz': 'UNREADABLE the NIfTI magic is missing',
  'derived/bitpix_mismatch.nii.gz': 'UNREADABLE bits per voxel (64) do not fit the data type float32',
  'derived/constant.nii.gz': 'ok',
  'derived/dim0_nine.nii.gz': 'UNREADABLE the number of dimensions is 9',
  'derived/dim0_zero.nii.gz': 'UNREADABLE the number of dimensions is 0',
  'derived/dim_huge.nii.gz': 'UNSUITABLE the header claims 3.5e+13 voxels, more than 536870912',
  'derived/dim_negative.nii.gz': 'UNREADABLE one side is -50 voxels long',
  'derived/empty.nii.gz': 'UNREADABLE the file is empty',
  'derived/gz_of_text.nii.gz': 'UNREADABLE not a NIfTI file',
  'derived/nan_inf_voxels.nii.gz': 'ok; 29 voxels repaired',
  'derived/pixdim_nan.nii.gz': 'remark: one voxel size is NaN; sizes were taken from the orientation matrix (sform)',
  'derived/pixdim_zero.nii.gz': 'remark: one voxel size is 0; sizes were taken from the orientation matrix (sform)',
  'derived/scl_slope_nan.nii.gz': 'remark: the scale factor is NaN: its voxels were read unscaled',
  'derived/single_slice.nii.gz': 'remark: a single slice, not a volume',
  'derived/truncated.nii': 'UNREADABLE the voxel data is cut short',
  'derived/truncated.nii.gz': 'UNREADABLE the compressed data is cut short',
  'derived/vox_offset_past_end.nii.gz': 'UNREADABLE the voxel data is cut short',
  'fuzz/crash-08123ef33416bd6f0c5fa63d44b681b8581d62a0.nii': 'UNREADABLE',
  'fuzz/crash-1.nii': 'UNREADABLE',
  'fuzz/crash-ed7d46344d7efb3b9f0c374d66d2e02f66cc447d.nii': 'UNREADABLE',
  'nibabel/analyze.hdr': 'UNREADABLE an Analyze 7.5 header, not NIfTI',
  'nibabel/nifti1.hdr': 'UNREADABLE the image file (.img) of this header is missing',
  'nibabel/nifti2.hdr': 'UNREADABLE the image file (.img) of this header is missing',
  'other/rgb_ct_perfusion.nii.gz': 'UNSUITABLE its voxels are RGB colours, not real numbers',
  'reader-js/not-nifti.nii': 'UNREADABLE not a NIfTI file',
};

async function outcomeOf(path: string): Promise<Outcome> {
  try {
    const header = await readNiftiHeader(path);
    const volumes: Volume[] = [];
    for await (const volume of readNiftiVolumes(path)) volumes.push(volume);
    return { header, volumes };
  } catch (error) {
    if (!(error instanceof FederationError)) throw error;
    return { refused: `${error.code.replace('VOLUME_', '')} ${String(error.details['reason'])}` };
  }
}

function describeOutcome(outcome: Outcome): string {
  if ('refused' in outcome) return outcome.refused;
  const repaired = outcome.volumes.reduce((sum, { repairedVoxels }) => sum + repairedVoxels, 0);
  const remarks = outcome.header.remarks.map((remark) => `remark: ${remark}`).join('; ');
  return (remarks === '' ? 'ok' : remarks) + (repaired > 0 ? `; ${repaired} voxels repaired` : '');
}

function expectAsNibabel(outcome: Outcome, golden: ShelfGolden | undefined): void {
  if ('refused' in outcome || golden === undefined) throw new Error(`nothing to compare: ${JSON.stringify(outcome)}`);
  const { geometry } = outcome.header;
  expect(geometry.sizeVoxels).toEqual(golden.shape);
  expect(geometry.orientation).toBe(golden.orientation);
  expect(geometry.frames).toBe(golden.frames.length);
  for (const { affine, sizeVoxels } of [geometry, ...outcome.volumes]) {
    expect(sizeVoxels).toEqual(golden.shape);
    golden.affine.forEach((entry, index) => expect(affine[index]).toBeCloseTo(entry, 6));
  }
  expect(outcome.volumes.map(({ voxels }) => digestOf(voxels))).toEqual(golden.frames);
}

function digestOf(voxels: Float32Array): string {
  return createHash('sha256').update(new Uint8Array(voxels.buffer)).digest('hex').slice(0, 16);
}

describeWithShelf('unusual and hostile NIfTI files', (shelf) => {
  const rows = [
    ...readFileSync(join(shelf, 'data/README.md'), 'utf8').matchAll(
      /^\| ([\w-]+\/\S+) \| \d+ \| (ok|reject|report|clean or report)/gm,
    ),
  ].map(([, file, expected]) => [file ?? '', expected ?? ''] as const);

  it('are listed with an expected outcome, all of them', () => {
    expect(rows.length).toBeGreaterThan(70);
    expect(Object.keys(OUTCOMES).filter((file) => !rows.some(([row]) => row === file))).toEqual([]);
  });

  it.each(rows)('%s: %s', async (file, expected) => {
    const outcome = await outcomeOf(join(shelf, 'data/nifti-odd', file));
    const description = describeOutcome(outcome);
    expect(description.startsWith(OUTCOMES[file] ?? 'ok') ? '' : description).toBe('');
    if (expected === 'ok') expect(description).toBe('ok');
    if (expected === 'reject') expect(description).toMatch(/^(UNREADABLE|UNSUITABLE) \S+/);
    expect(description).not.toMatch('\n');
    if (!('refused' in outcome)) expectAsNibabel(outcome, goldens[goldenName(file)]);
  });

  it('agree whatever the stored orientation', () => {
    const files = Object.keys(goldens).filter((file) => file.startsWith('nifti-odd/orientations/'));
    expect(new Set(files.map((file) => goldens[file]?.orientation)).size).toBe(12);
    expect(new Set(files.map((file) => goldens[file]?.frames[0])).size).toBe(1);
  });

  it('that nibabel reads are read, but for those refused with a reason', () => {
    const refused = Object.keys(OUTCOMES).filter((file) => /^UN/.test(OUTCOMES[file] ?? ''));
    expect(refused.filter((file) => `nifti-odd/${file}` in goldens)).toEqual(['derived/bitpix_mismatch.nii.gz']);
  });
});

describeWithShelf('ordinary scans', (shelf) => {
  it.each(Object.keys(goldens).filter((file) => file.startsWith('pretrain/')))('%s', async (file) => {
    const outcome = await outcomeOf(join(shelf, 'data', file));
    expect(describeOutcome(outcome)).toBe('ok');
    expectAsNibabel(outcome, goldens[file]);
  });
});

/** Either file of a pair gives the same volume. */
function goldenName(file: string): string {
  return `nifti-odd/${file.replace(/\.img/, '.hdr')}`;
}
