import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makePhantom, writeNifti } from '../../../test/fixtures/make-volume.js';
import { PROJECT_ROOT } from '../../../test/fixtures/reference-shelf.js';

const program = join(PROJECT_ROOT, 'site-agent/bin/site-agent.mjs');

describe('site-agent index', () => {
  let folder: string;
  beforeAll(() => {
    if (!existsSync(join(PROJECT_ROOT, 'site-agent/dist/cli.js')))
      throw new Error('the project is not built: run "npm run build"');
    folder = mkdtempSync(join(tmpdir(), 'index-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  const index = (...words: string[]) => agent('index', ...words);
  const forget = (...words: string[]) => agent('forget', ...words);

  function agent(...words: string[]) {
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, '--home', join(folder, 'site'), ...words], {
      encoding: 'utf8',
      timeout: 30_000,
    });
    return { status, stdout, stderr };
  }

  function scans(name: string): string {
    mkdirSync(join(folder, name), { recursive: true });
    return join(folder, name);
  }

  it('says what is missing: a folder, any scan, a usable scan', () => {
    expect(index(join(folder, 'nowhere'))).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('FOLDER_MISSING') as string,
    });
    expect(index('~/scans').stderr).toMatch(/FOLDER_MISSING: .*: it does not exist\n {2}The shell puts/);
    expect(index('').stderr).toContain('ARGUMENT_INVALID: one of the paths is empty');
    expect(index(scans('empty')).stderr).toMatch(/COLLECTION_EMPTY: there is no scan[^\n]*\n {2}Name a folder/);
    writeFileSync(join(scans('broken'), 'broken.nii'), 'nothing');
    const broken = index(scans('broken'));
    expect(broken).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('COLLECTION_EMPTY: none of 1 scans can be used') as string,
    });
    expect(broken.stdout).toContain('not a NIfTI file');
  });

  it('counts scans by modality in a table, and prints a line of JSON for each', () => {
    writeNifti(join(scans('good'), 'a.nii.gz'), makePhantom('a', 'CT'));
    writeNifti(join(scans('good'), 'b.nii.gz'), makePhantom('b', 'MR'));
    const table = index(scans('good'));
    expect(table.status).toBe(0);
    expect(table.stdout).toMatch(/CT +not stated +1 +1\nMR +not stated +1 +1\n/);
    expect(table.stdout).toContain('Training uses 2 volumes of this site (CT 1, MR 1)');
    const again = index('--json', scans('good'));
    const lines = again.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines).toMatchObject([
      { path: join(folder, 'good', 'a.nii.gz'), kind: 'nifti', status: 'ok', reason: null, modality: 'CT', usable: true },
      { path: join(folder, 'good', 'b.nii.gz'), geometry: { sizeVoxels: [40, 36, 24] }, modality: 'MR', patient: null },
    ]);
  });

  it('never takes what is to be indexed for the file of a report', () => {
    const scan = writeNifti(join(scans('kept'), 'a.nii'), makePhantom('a', 'CT'));
    const before = readFileSync(scan);
    for (const named of [scans('kept'), scan]) {
      expect(index('--report', named)).toMatchObject({
        status: 2,
        stderr: expect.stringContaining('name it first: site-agent index FOLDER --report') as string,
      });
    }
    expect(readFileSync(scan).equals(before)).toBe(true);
    expect(index(scans('kept'), '--report', join(folder, 'nowhere', 'r.html')).stderr).toMatch(/^FOLDER_MISSING/);
    expect(index(scans('kept'), '--report', join(folder, 'r.html')).stdout).toContain(`With pictures: ${join(folder, 'r.html')}`);
  });

  it('lists headers at once with --headers-only, and goes on without a path', () => {
    writeNifti(join(scans('later'), 'c.nii.gz'), makePhantom('c', 'CT'));
    expect(index('--headers-only', scans('later')).stdout).toContain('The voxels of 1 scans are still to be read');
    const line = JSON.parse(index('--json', '--headers-only', scans('later')).stdout) as unknown;
    expect(line).toMatchObject({ checked: false, usable: false, statistics: null, geometry: { sizeVoxels: [40, 36, 24] } });
    expect(index().status).toBe(0);
    expect(JSON.parse(index('--json', scans('later')).stdout)).toMatchObject({ checked: true, usable: true });
  });

  it('forgets a patient for good, and never says whom', () => {
    const patients = scans('patients');
    writeNifti(join(patients, 'd.nii.gz'), makePhantom('d', 'CT'));
    writeFileSync(join(patients, 'collection.yaml'), 'patients: {"d*": PAT-4711}\n');
    index(patients);
    const forgotten = forget('--patient', 'PAT-4711');
    expect(forgotten.stdout).toBe('Dropped 1 volumes of 1 scans, with 0 prepared copies. No later round uses them.\n');
    rmSync(join(patients, 'd.nii.gz'));
    index(patients);
    writeNifti(join(patients, 'd2.nii.gz'), makePhantom('d', 'CT'));
    expect(JSON.parse(index('--json', patients).stdout)).toMatchObject({
      unusedBecause: 'opted out',
      checked: false,
      usable: false,
    });
    expect(forget('--list').stdout).toContain('1 patients and scans are forgotten; 1 scans');
    expect(forget().stderr).toContain('ARGUMENT_INVALID');
  });

  it('forgets a scan by its path, and knows its voxels under another name', () => {
    const path = writeNifti(join(scans('unnamed'), 'e.nii.gz'), makePhantom('e', 'CT'));
    index(scans('unnamed'));
    expect(JSON.parse(forget('--path', path, '--json').stdout)).toMatchObject({ scans: 1, volumes: 1, cacheEntries: 0 });
    renameSync(path, join(scans('unnamed'), 'other-name.nii.gz'));
    expect(JSON.parse(index('--json', scans('unnamed')).stdout)).toMatchObject({ unusedBecause: 'opted out', usable: false });
  });
});
