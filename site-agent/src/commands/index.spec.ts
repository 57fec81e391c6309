import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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

  function index(...words: string[]) {
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, '--home', join(folder, 'site'), 'index', ...words], {
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
    expect(index(scans('empty')).stderr).toMatch(/COLLECTION_EMPTY: there is no NIfTI file[^\n]*\n {2}Name a folder/);
    writeFileSync(join(scans('broken'), 'broken.nii'), 'nothing');
    const broken = index(scans('broken'));
    expect(broken).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('COLLECTION_EMPTY: none of 1 files can be used') as string,
    });
    expect(broken.stdout).toContain('not a NIfTI file');
  });

  it('counts usable volumes by modality, as a table and as JSON', () => {
    writeNifti(join(scans('good'), 'a.nii.gz'), makePhantom('a', 'CT'));
    writeNifti(join(scans('good'), 'b.nii.gz'), makePhantom('b', 'MR'));
    const table = index(scans('good'));
    expect(table.status).toBe(0);
    expect(table.stdout).toMatch(/CT +1\nMR +1\nall usable +2\n/);
    const again = index('--json', scans('good'));
    expect(JSON.parse(again.stdout)).toMatchObject({
      counts: { usable: 2, byModality: { CT: 1, MR: 1 } },
      examined: 0,
      unchanged: 2,
    });
  });
});
