import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { makePhantom, writeNifti } from '../fixtures/make-volume.js';
import { describeWithShelf, PROJECT_ROOT } from '../fixtures/reference-shelf.js';

const program = join(PROJECT_ROOT, 'site-agent/bin/site-agent.mjs');

interface Line {
  readonly path: string;
  readonly kind: string;
  readonly status: 'ok' | 'reported' | 'refused';
  readonly reason: string | null;
  readonly unusedBecause: string | null;
  readonly usable: boolean;
  readonly checked: boolean;
  readonly modality: string | null;
  readonly geometry: { readonly sizeVoxels: readonly number[]; readonly frames: number } | null;
  readonly patient: string | null;
}

let folder: string;
beforeAll(() => {
  if (!existsSync(join(PROJECT_ROOT, 'site-agent/dist/cli.js'))) throw new Error('the project is not built: run "npm run build"');
  folder = mkdtempSync(join(tmpdir(), 'index-contract-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function command(site: string, ...words: string[]): [string, string[]] {
  return [process.execPath, [program, '--home', join(folder, site), 'index', ...words]];
}

function linesOf(site: string, ...paths: string[]): Line[] {
  const { stdout, stderr, status } = spawnSync(...command(site, '--json', ...paths), {
    encoding: 'utf8',
    timeout: 60_000,
    maxBuffer: 2 ** 26,
  });
  if (status !== 0) throw new Error(stderr);
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

/** Of the reference shelf's odd files: ok reads with the right values; told is reported or refused, and a reason says why. */
const NIFTI_OUTCOMES = {
  told: [
    'colour-complex/complex_complex32.nii',
    'colour-complex/complex_complex64.nii',
    'colour-complex/rgb_3D.nii',
    'colour-complex/rgb_4D.nii',
    'colour-complex/rgba_4D.nii',
    'derived/bitpix_mismatch.nii.gz',
    'derived/constant.nii.gz',
    'derived/nan_inf_voxels.nii.gz',
    'derived/pixdim_nan.nii.gz',
    'derived/pixdim_zero.nii.gz',
    'derived/scl_slope_nan.nii.gz',
    'derived/single_slice.nii.gz',
    'nibabel/analyze.hdr',
    'other/rgb_ct_perfusion.nii.gz',
  ],
  ok: [
    'datatypes/float32.nii',
    'datatypes/float64.nii',
    'datatypes/int16.nii',
    'datatypes/int32.nii',
    'datatypes/int64.nii',
    'datatypes/int8.nii',
    'datatypes/uint16.nii',
    'datatypes/uint32.nii',
    'datatypes/uint64.nii',
    'datatypes/uint8.nii',
    'derived/ok_plain.nii',
    'derived/scl_slope_zero.nii.gz',
    'minimal/minimal.hdr',
    'minimal/minimal.img',
    'minimal/minimal.nii',
    'minimal/minimal_extended_hdr.nii',
    'nibabel/anatomical.nii',
    'nibabel/example4d.nii.gz',
    'nibabel/example_nifti2.nii.gz',
    'nibabel/functional.nii',
    'nibabel/reoriented_anat_moved.nii',
    'nibabel/standard.nii.gz',
    'orientations/AIR.nii.gz',
    'orientations/ARS.nii.gz',
    'orientations/ASL.nii.gz',
    'orientations/IPL.nii.gz',
    'orientations/LAS.nii.gz',
    'orientations/LIP.nii.gz',
    'orientations/LPS.nii.gz',
    'orientations/PSR.nii.gz',
    'orientations/RAS.nii.gz',
    'orientations/RPI.nii.gz',
    'orientations/SAL.nii.gz',
    'orientations/SRA.nii.gz',
    'other/zstat1_bigendian.nii.gz',
    'pair/ras.hdr',
    'pair/ras.img',
    'reader-js/5D_small.nii',
    'reader-js/air.hdr.gz',
    'reader-js/air.img.gz',
    'reader-js/avg152T1_LR_nifti.nii.gz',
    'reader-js/avg152T1_LR_nifti2.nii.gz',
    'reader-js/big.nii.gz',
    'reader-js/little.nii.gz',
    'reader-js/with_extension.nii.gz',
  ],
  refused: [
    'derived/bad_datatype.nii.gz',
    'derived/bad_magic.nii.gz',
    'derived/dim0_nine.nii.gz',
    'derived/dim0_zero.nii.gz',
    'derived/dim_huge.nii.gz',
    'derived/dim_negative.nii.gz',
    'derived/empty.nii.gz',
    'derived/gz_of_text.nii.gz',
    'derived/truncated.nii',
    'derived/truncated.nii.gz',
    'derived/vox_offset_past_end.nii.gz',
    'fuzz/crash-08123ef33416bd6f0c5fa63d44b681b8581d62a0.nii',
    'fuzz/crash-1.nii',
    'fuzz/crash-ed7d46344d7efb3b9f0c374d66d2e02f66cc447d.nii',
    'nibabel/nifti1.hdr',
    'nibabel/nifti2.hdr',
    'reader-js/not-nifti.nii',
  ],
} as const;

describeWithShelf('index --json over odd NIfTI files', (shelf) => {
  const root = join(shelf, 'data/nifti-odd');
  let lines: Map<string, Line>;
  beforeAll(() => {
    lines = new Map(linesOf('nifti', root).map((line) => [relative(root, line.path), line]));
  }, 60_000);

  /** The line of a pair is that of its header. */
  const lineOf = (file: string): Line | undefined => lines.get(file) ?? lines.get(file.replace(/\.img(\.gz)?$/, '.hdr$1'));

  it.each(NIFTI_OUTCOMES.ok)('%s is ok', (file) => {
    expect(lineOf(file)).toMatchObject({ kind: 'nifti', status: 'ok', reason: null, checked: true });
  });
  it.each(NIFTI_OUTCOMES.told)('%s is told of', (file) => {
    expect(lineOf(file)?.status).toMatch(/^(reported|refused)$/);
    expect(lineOf(file)?.reason).toMatch(/^\S.{10,150}$/);
  });
  it.each(NIFTI_OUTCOMES.refused)('%s is refused', (file) => {
    expect(lineOf(file)).toMatchObject({ status: 'refused', usable: false });
    expect(lineOf(file)?.reason).toMatch(/^\S.{10,150}$/);
  });
  it('says of every file that is left out why', () => {
    for (const line of lines.values()) expect(line.usable).toBe(line.status !== 'refused' && line.unusedBecause === null);
  });
});

/** Folder → status of its scans, and voxels where it reads. */
const DICOM_OUTCOMES: readonly (readonly [
  folder: string,
  status: readonly string[],
  sizeVoxels?: readonly number[],
  frames?: number,
])[] = [
  ['bad_gantrytilting', ['refused']],
  ['bad_notavolume', ['refused']],
  ['bad_slicecount', ['reported'], [2, 256, 256]],
  ['bad_sliceincrement', ['refused']],
  ['bad_sliceorientation', ['reported', 'reported']],
  ['body_ct_j2k', ['ok'], [512, 512, 20]],
  ['ge_anat', ['ok'], [4, 256, 256]],
  ['generic_j2k', ['ok'], [4, 256, 256]],
  ['generic_jpeg', ['ok'], [4, 256, 256]],
  ['generic_jpegls', ['ok'], [4, 256, 256]],
  ['generic_raw', ['ok'], [4, 256, 256]],
  ['generic_rle', ['ok'], [4, 256, 256]],
  ['head_ct_64', ['ok'], [64, 64, 93]],
  ['hitachi_anat', ['ok'], [4, 64, 64]],
  ['non_isotropic', ['ok'], [64, 28, 4]],
  ['philips_4d', ['ok'], [80, 80, 2], 4],
  ['philips_anat', ['ok'], [240, 4, 240]],
  ['siemens_anat', ['ok'], [4, 256, 256]],
  ['siemens_multiframe', ['ok'], [256, 256, 8]],
  ['sts002_ct', ['ok', 'refused'], [161, 143, 48]],
  ['sts002_mr', ['ok', 'refused'], [115, 90, 35]],
];

describeWithShelf('index --json over DICOM series', (shelf) => {
  const root = join(shelf, 'data/dicom');
  let lines: Line[];
  beforeAll(() => {
    const below = DICOM_OUTCOMES.flatMap(([name]) => readdirSync(join(root, name)).map((entry) => join(root, name, entry)));
    lines = linesOf('dicom', ...below.filter((path) => !path.endsWith('.nii.gz'))); // references are read by other tests
  }, 60_000);

  const rows = DICOM_OUTCOMES.map(([name, status, sizeVoxels, frames = 1]) => ({ name, status, sizeVoxels, frames }));
  it.each(rows)('$name: $status', ({ name, status, sizeVoxels, frames }) => {
    const own = lines.filter(({ path }) => relative(root, path).startsWith(`${name}/`));
    expect(own.map((line) => line.status).sort()).toEqual(status);
    for (const { status: found, reason } of own) if (found !== 'ok') expect(reason).toMatch(/^\S.{10,200}$/);
    if (sizeVoxels === undefined) return;
    expect(own.find(({ geometry }) => geometry !== null)?.geometry).toMatchObject({ sizeVoxels, frames });
  });
  it('names each volume by the folder of its slices, and an object without image by its file', () => {
    expect(new Set(lines.map(({ path }) => relative(root, path).split('/')[1]))).toEqual(new Set(['series', 'rtstruct.dcm']));
    expect(lines.filter(({ reason }) => reason === 'not an image (RTSTRUCT)')).toHaveLength(2);
  });
  it('knows which series are of one patient', () => {
    const patients = (start: string): Set<string | null> =>
      new Set(lines.filter(({ path }) => relative(root, path).startsWith(start)).map(({ patient }) => patient));
    expect(patients('sts002')).toEqual(new Set([expect.stringMatching(/^[0-9a-f]{32}$/)]));
    expect(patients('head_ct_64')).not.toEqual(patients('sts002'));
  });
});

describe('an index that is interrupted', () => {
  const SCANS = 12;
  const DISTINCT = 4;

  it('goes on after SIGKILL and after Ctrl-C at any time, and comes to the same end', async () => {
    const scans = join(folder, 'many');
    mkdirSync(scans);
    for (let scan = 0; scan < DISTINCT; scan++) {
      writeNifti(join(scans, `${scan}.nii.gz`), makePhantom(String(scan), 'CT', [64, 64, 48]));
      for (let copy = 1; copy < SCANS / DISTINCT; copy++)
        symlinkSync(join(scans, `${scan}.nii.gz`), join(scans, `${scan}-${copy}.nii.gz`));
    }
    for (const afterMs of [250, 500, 800]) await interrupted(scans, 'SIGKILL', afterMs);
    const code = await interrupted(scans, 'SIGINT', 700);
    expect([0, 130]).toContain(code);
    const lines = linesOf('killed', scans);
    expect(lines).toHaveLength(SCANS);
    expect(lines.filter(({ checked, status }) => checked && status === 'ok')).toHaveLength(SCANS);
    expect(lines.filter(({ usable }) => usable)).toHaveLength(DISTINCT);
  }, 60_000);

  async function interrupted(scans: string, signal: NodeJS.Signals, afterMs: number): Promise<number | null> {
    const child: ChildProcess = spawn(...command('killed', scans), { stdio: 'ignore' });
    const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    child.kill(signal);
    return ended;
  }
});
