import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type MadeVolume, writeNifti } from '../../../test/fixtures/make-volume.js';
import { describeWithOracle, describeWithShelf, PROJECT_ROOT } from '../../../test/fixtures/reference-shelf.js';
import { readNiftiHeader } from '../volumes/nifti/nifti-scan.js';
import { readNiftiVolume } from '../volumes/nifti/nifti-volume.js';

const program = join(PROJECT_ROOT, 'site-agent/bin/site-agent.mjs');

const OBLIQUE_PSR: NonNullable<MadeVolume['sform']> = [
  [0.1, -0.2, 2, 5],
  [-3, 0.1, 0.2, 60],
  [0.2, 4, -0.1, -7],
];

let folder: string;
beforeAll(() => {
  if (!existsSync(join(PROJECT_ROOT, 'site-agent/dist/cli.js'))) throw new Error('the project is not built: run "npm run build"');
  folder = mkdtempSync(join(tmpdir(), 'convert-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function convert(...words: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, 'convert', ...words], {
    encoding: 'utf8',
    cwd: folder,
    timeout: 30_000,
  });
  return { status, stdout, stderr };
}

function series(): string {
  const path = join(folder, 'series.nii.gz');
  const value = (i: number, j: number, k: number): number => i + 20 * j + 400 * k;
  return writeNifti(path, {
    sizes: [6, 7, 8, 3],
    spacingMm: [3, 4, 2],
    sform: OBLIQUE_PSR,
    slope: 2,
    intercept: -9,
    value,
    description: 'a name',
  });
}

describe('site-agent convert', () => {
  it('writes a frame in the orientation asked for, with its place in space and nothing else', async () => {
    const made = convert(series(), 'lps.nii', '--frame', '1', '--orientation', 'lps');
    expect(made).toMatchObject({ status: 0, stderr: '' });
    expect(made.stdout).toBe('lps.nii: 8 × 6 × 7 voxels of 2.012 × 3.008 × 4.006 mm, LPS; frame 1 of 0 to 2\n');
    const [expected, volume] = [await readNiftiVolume(series(), 1), await readNiftiVolume(join(folder, 'lps.nii'))];
    expect(volume.voxels).toEqual(expected.voxels);
    volume.affine.forEach((entry, index) => expect(entry).toBeCloseTo(expected.affine[index] ?? NaN, 4));
    const { geometry, remarks } = await readNiftiHeader(join(folder, 'lps.nii'));
    expect([geometry.orientation, geometry.frames, remarks]).toEqual(['LPS', 1, []]);
    expect(readFileSync(join(folder, 'lps.nii'), 'latin1')).not.toContain('a name');
  });

  it('refuses to replace a file, and ever to replace the scan itself', () => {
    const source = series();
    const before = readFileSync(source);
    writeFileSync(join(folder, 'there.nii.gz'), 'precious');
    expect(convert(source, 'there.nii.gz').stderr).toMatch(/NAME_TAKEN[^\n]*\n.*--force/);
    expect(readFileSync(join(folder, 'there.nii.gz'), 'utf8')).toBe('precious');
    expect(convert(source, 'there.nii.gz', '--force').status).toBe(0);
    expect(convert(source, source, '--force').stderr).toMatch('ARGUMENT_INVALID: the output is the input');
    expect(readFileSync(source).equals(before)).toBe(true);
    expect(readdirSync(folder).filter((name) => name.includes('partial'))).toEqual([]);
  });

  it('says what is wrong with its arguments', () => {
    const source = series();
    expect(convert(source, 'o.nii', '--frame', '3').stderr).toMatch('--frame 3: the scan has 3 frames, counted from 0');
    expect(convert(source, 'o.nii', '--orientation', 'RAX').stderr).toMatch('such as RAS, LPS or PSR');
    expect(convert(source, 'o.mha').stderr).toMatch('End it in .nii.gz or .nii.');
    expect(convert(source, 'nowhere/o.nii').stderr).toMatch(/FOLDER_MISSING: there is no folder .*nowhere/);
    expect(convert('absent.nii', 'o.nii').stderr).toMatch('NOT_FOUND: there is no absent.nii');
    writeFileSync(join(folder, 'words'), 'nothing but words');
    expect(convert('words', 'o.nii').stderr).toMatch('VOLUME_UNREADABLE: words: neither a NIfTI nor a DICOM file');
    mkdirSync(join(folder, 'empty'), { recursive: true });
    expect(convert('empty', 'o.nii').stderr).toMatch('NOT_FOUND');
    expect(existsSync(join(folder, 'o.nii'))).toBe(false);
  });
});

describeWithShelf('converted DICOM series', (shelf) => {
  const series = (name: string): string => join(shelf, 'data/dicom', name, 'series');

  it('have the voxels and the place of their reference, from the folder or from any one file', async () => {
    const reference = await readNiftiVolume(join(shelf, 'data/dicom/philips_4d/reference.nii.gz'), 2);
    const [file = ''] = readdirSync(series('philips_4d')).slice(3);
    for (const input of [series('philips_4d'), join(series('philips_4d'), file)]) {
      const made = convert(input, 'philips.nii.gz', '--frame', '2', '--orientation', 'LAI', '--force');
      expect(made.stdout).toMatch(/^philips.nii.gz: 80 × 80 × 2 voxels of 3 × 3 × 3.3 mm, LAI; frame 2 of 0 to 3\n/);
      const volume = await readNiftiVolume(join(folder, 'philips.nii.gz'));
      expect(volume.voxels).toEqual(reference.voxels);
      volume.affine.forEach((entry, index) => expect(entry).toBeCloseTo(reference.affine[index] ?? NaN, 3));
    }
  });

  it('are chosen among several, or refused with the reason', () => {
    const several = convert(series('bad_sliceorientation'), 'one.nii');
    expect(several.stderr).toMatch(/holds 2 volumes; say which one\n {2}--series 0: MR .*\n {2}--series 1: MR /);
    expect(convert(series('bad_sliceorientation'), 'one.nii', '--series', '1').status).toBe(0);
    expect(convert(series('bad_gantrytilting'), 'tilted.nii').stderr).toMatch('VOLUME_UNSUITABLE: series: ');
    expect(existsSync(join(folder, 'tilted.nii'))).toBe(false);
  });
});

describeWithOracle('converted files as nibabel reads them', (python) => {
  it('have the voxels and the place of their source', () => {
    const rows = ['RAS', 'LPS', 'PSR', 'IRA'].flatMap((orientation, frame) => {
      const output = join(folder, `${orientation}.nii.gz`);
      const number = String(Math.min(frame, 2));
      expect(convert(series(), output, '--orientation', orientation, '--frame', number)).toMatchObject({ status: 0 });
      return [series(), number, output, orientation];
    });
    const script = join(PROJECT_ROOT, 'test/fixtures/nifti-goldens/compare-conversion.py');
    expect(execFileSync(python, [script, ...rows], { encoding: 'utf8' }).trim()).toBe('4 conversions agree');
  });
});
