import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ArchiveLink } from '../../site-agent/src/collection/pacs/archive-link.js';
import { searchSeries } from '../../site-agent/src/collection/pacs/search-series.js';
import type { SeriesFilter } from '../../site-agent/src/collection/pacs/series-filter.js';
import { listDicomSeries } from '../../site-agent/src/volumes/dicom/list-dicom-series.js';
import { readVolume } from '../../site-agent/src/volumes/read-volume.js';
import type { Volume } from '../../site-agent/src/volumes/volume.js';
import { CuttingProxy } from '../fixtures/cutting-proxy.js';
import { makeArchived } from '../fixtures/make-archived.js';
import { MadeArchive, type MadeSeries } from '../fixtures/made-archive.js';
import { describeWithShelf, PROJECT_ROOT } from '../fixtures/reference-shelf.js';
import { describeWithOrthanc, hasOrthanc, ORTHANC_ACCOUNT, TestOrthanc } from '../fixtures/start-orthanc.js';

const PROGRAM = join(PROJECT_ROOT, 'site-agent/bin/site-agent.mjs');
const START_MS = 30_000;
const ALL: SeriesFilter = { modalities: [], bodyParts: [], from: undefined, to: undefined };

/** One scan as `index --json` tells of it. */
interface Line {
  readonly path: string;
  readonly modality?: string;
  readonly bodyPart?: string;
  readonly files: number;
  readonly volumes: readonly { readonly digest: string }[];
}

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

let folder: string;
beforeAll(() => {
  if (!existsSync(join(PROJECT_ROOT, 'site-agent/dist/cli.js'))) throw new Error('the project is not built: run "npm run build"');
  folder = mkdtempSync(join(tmpdir(), 'dicomweb-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function begin(url: string, site: string, words: readonly string[], environment: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [PROGRAM, '--home', join(folder, site), 'index', '--dicomweb', url, ...words], {
    env: { ...process.env, ...environment },
  });
}

/** Not spawnSync: archives of the test's own live in this process. */
async function pull(
  url: string,
  site: string,
  words: readonly string[] = [],
  environment: Record<string, string> = {},
): Promise<Outcome> {
  const child = begin(url, site, words, environment);
  let [stdout, stderr] = ['', ''];
  child.stdout?.on('data', (text: Buffer) => (stdout += text.toString()));
  child.stderr?.on('data', (text: Buffer) => (stderr += text.toString()));
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, stdout, stderr };
}

const AS_USER = ['--dicomweb-user', ORTHANC_ACCOUNT.user];
const WITH_PASSWORD = { CONSILIUM_DICOMWEB_PASSWORD: ORTHANC_ACCOUNT.password };

function linesOf({ stdout }: Outcome): Line[] {
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

function filesIn(site: string): string[] {
  const root = join(folder, site, 'pulled');
  if (!existsSync(root)) return [];
  return readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.dcm'));
}

describeWithOrthanc('index --dicomweb with Orthanc', () => {
  const head = makeArchived(1, { modality: 'CT', bodyPart: 'HEAD', date: '20240110', patient: 'MUSTER-1' });
  const knee = makeArchived(2, { modality: 'MR', bodyPart: 'KNEE', date: '20240601', patient: 'MUSTER-2' });
  const unsaid = makeArchived(3, { modality: 'CT', date: '20231231', patient: 'MUSTER-1' });
  const positrons = makeArchived(4, { modality: 'PT', bodyPart: 'HEAD', date: '20240110' });
  const large = makeArchived(5, { modality: 'MR', bodyPart: 'BRAIN', date: '20200101', slices: 30, size: 96 });
  const all = [head, knee, unsaid, positrons, large];
  let orthanc: TestOrthanc;
  beforeAll(async () => {
    orthanc = await TestOrthanc.start();
    for (const { instances } of all) for (const file of instances.values()) await orthanc.store(file);
  }, START_MS);
  afterAll(() => orthanc?.stop());

  const ask = (site: string, words: readonly string[] = []): Promise<Outcome> =>
    pull(orthanc.url, site, [...AS_USER, ...words], WITH_PASSWORD);

  it('pulls what can be used, with voxels and place as they were, and nothing the second time', async () => {
    const first = await ask('all', ['--json']);
    expect(first.stderr).toContain('Pulled 4 series (57 images');
    expect(first.status).toBe(0);
    expect(linesOf(first)).toHaveLength(4);
    for (const series of [head, knee, unsaid, large]) await expectSameVolume(series, 'all');
    const again = await ask('all');
    expect(again.stdout).toMatch(/Pulled 0 series in .*; 4 were here already/);
    expect(again.stdout).toMatch(/ 0 headers and the voxels of 0 scans read/);
    for (const text of [first.stdout, first.stderr, again.stdout]) expect(text).not.toMatch(/MUSTER|1\.2\.\d\.1/);
  });

  it.each([
    [{ modalities: ['MR'] }, ['2', '5']],
    [{ modalities: ['CT', 'PT'] }, ['1', '3', '4']],
    [{ bodyParts: ['HEAD', 'KNEE'] }, ['1', '2', '4']],
    [{ bodyParts: ['*A*'], modalities: ['MR'] }, ['5']],
    [{ from: '20240101' }, ['1', '2', '4']],
    [{ from: '20231231', to: '20240110' }, ['1', '3', '4']],
    [{ to: '20200101', modalities: ['CT'] }, []],
  ])('finds the series of %j', async (filter, numbers) => {
    const { user, password } = ORTHANC_ACCOUNT;
    const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
    const { wanted } = await searchSeries(new ArchiveLink({ url: orthanc.url, authorization }), { ...ALL, ...filter });
    expect(wanted.map(({ examination }) => examination.split('.').at(-1)).sort()).toEqual(numbers);
  });

  it('counts without pulling', async () => {
    const words = ['--dry-run', '--pacs-modality', 'ct,pt', '--pacs-from', '2024-01-01', '--pacs-body-part', 'head*'];
    const { stdout, status } = await ask('dry', words);
    expect({ status, stdout }).toMatchObject({ status: 0, stdout: expect.stringContaining('2 series (CT 1, PT 1)') as string });
    expect(filesIn('dry')).toEqual([]);
  });

  it('is let in with the right password only, from a file as well', async () => {
    const wrong = await pull(orthanc.url, 'access', AS_USER, { CONSILIUM_DICOMWEB_PASSWORD: 'guessed' });
    expect(wrong).toMatchObject({
      status: 3,
      stderr: expect.stringMatching(/ARCHIVE_REFUSED: the archive does not accept/) as string,
    });
    expect(await pull(orthanc.url, 'access')).toMatchObject({
      status: 3,
      stderr: expect.stringMatching(/asks for credentials/) as string,
    });
    const file = join(folder, 'password');
    writeFileSync(file, `${ORTHANC_ACCOUNT.password}\n`, { mode: 0o600 });
    const words = [...AS_USER, '--dicomweb-password-file', file, '--pacs-limit', '1', '--headers-only'];
    const right = await pull(orthanc.url, 'access', words);
    expect(right.stdout).toMatch(/Pulled 1 series/);
    expect(`${wrong.stderr}${right.stdout}${right.stderr}`).not.toContain(ORTHANC_ACCOUNT.password);
  });

  it('goes on where it was killed, and asks for nothing twice', async () => {
    const proxy = await CuttingProxy.open(orthanc.port);
    const url = `${proxy.url}/dicom-web`;
    const bytes = [...large.instances.values()].reduce((sum, file) => sum + file.length, 0);
    try {
      proxy.cutAfter('down', bytes * 0.6);
      const child = begin(url, 'killed', [...AS_USER, '--pacs-body-part', 'BRAIN'], WITH_PASSWORD);
      const ended = once(child, 'close');
      while (filesIn('killed').length < large.instances.size * 0.3) await new Promise((resolve) => setTimeout(resolve, 5));
      proxy.goDown();
      child.kill('SIGKILL');
      await ended;
      const before = filesIn('killed').length;
      expect(before).toBeLessThan(large.instances.size);
      proxy.restore();
      const downBefore = proxy.bytesDown;
      const { stdout } = await pull(url, 'killed', [...AS_USER, '--pacs-body-part', 'BRAIN'], WITH_PASSWORD);
      expect(stdout).toContain(`Pulled 1 series (${large.instances.size - before} images`);
      const listing = 150_000; // Orthanc describes every instance at length
      expect(proxy.bytesDown - downBefore).toBeLessThan(bytes * (1 - before / large.instances.size) + listing);
      await expectSameVolume(large, 'killed');
      const names = ['generic_jpegls', 'head_ct_64', 'hitachi_anat', 'philips_4d', 'siemens_multiframe'];
      expect(names.filter((name) => name.endsWith('.partial'))).toEqual([]);
    } finally {
      await proxy.close();
    }
  });

  it('removes what it pulled of a patient who is forgotten, and does not fetch it again', async () => {
    await ask('forgotten', ['--headers-only']);
    expect(filesIn('forgotten')).toHaveLength(57);
    const words = ['--home', join(folder, 'forgotten'), 'forget', '--patient', 'MUSTER-1', '--json'];
    const forgotten = spawnSync(process.execPath, [PROGRAM, ...words], { encoding: 'utf8' });
    expect(JSON.parse(forgotten.stdout)).toMatchObject({ pulledSeries: 2 });
    expect(filesIn('forgotten')).toHaveLength(39);
    const again = await ask('forgotten', ['--headers-only']);
    expect(again.stdout).toMatch(/Pulled 0 series .*; 2 were here already\.\n2 belong to patients who opted out/);
    expect(filesIn('forgotten')).toHaveLength(39);
  });
});

describe('index --dicomweb with a token', () => {
  it('sends the token of a file, and shows it nowhere', async () => {
    const archive = await MadeArchive.open([makeArchived(1)], { authorization: 'Bearer ey.secret' });
    try {
      const file = join(folder, 'token-file');
      writeFileSync(file, 'ey.secret\n', { mode: 0o600 });
      const { status, stdout, stderr } = await pull(archive.url, 'token', ['--dicomweb-token-file', file, '--headers-only']);
      expect({ status, stdout, stderr }).toMatchObject({
        status: 0,
        stdout: expect.anything() as string,
        stderr: expect.stringContaining('1/1') as string,
      });
      expect(stdout).toContain('Pulled 1 series (9 images');
      expect(stdout + stderr).not.toContain('secret');
      expect(readFileSync(join(folder, 'token', 'site.sqlite')).includes('secret')).toBe(false);
      const refused = await pull(archive.url, 'token', [], { CONSILIUM_DICOMWEB_TOKEN: 'ey.other' });
      expect(refused).toMatchObject({ status: 3, stderr: expect.stringMatching(/ARCHIVE_REFUSED/) as string });
    } finally {
      await archive.close();
    }
  });
});

describe('index --dicomweb by https', () => {
  it('trusts the authority that NODE_EXTRA_CA_CERTS names, and no other', async () => {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'authority.pem')];
    const words = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=archive';
    const names = ['-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert];
    if (spawnSync('openssl', [...words.split(' '), ...names]).status !== 0) {
      return void process.stderr.write('passed over, openssl is not installed\n');
    }
    const tls = { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
    const archive = await MadeArchive.open([makeArchived(1)], {}, tls);
    try {
      const unknown = await pull(archive.url, 'https', ['--headers-only']);
      expect(unknown.stderr).toMatch(/ARCHIVE_UNREACHABLE: the archive’s certificate is not trusted.*\n.*NODE_EXTRA_CA_CERTS=/);
      expect(unknown.status).toBe(5);
      const known = await pull(archive.url, 'https', ['--headers-only'], { NODE_EXTRA_CA_CERTS: cert });
      expect(known).toMatchObject({ status: 0, stdout: expect.stringContaining('Pulled 1 series') as string });
    } finally {
      await archive.close();
    }
  });
});

describeWithShelf('the series of the reference shelf through Orthanc', (shelf) => {
  const names = ['generic_jpegls', 'head_ct_64', 'hitachi_anat', 'philips_4d', 'siemens_multiframe'];

  it(`come out as they lie in their folders: ${names.join(', ')}`, async () => {
    if (!hasOrthanc()) return void process.stderr.write('passed over, Orthanc is not installed\n');
    const orthanc = await TestOrthanc.start();
    try {
      for (const name of names) {
        const series = join(shelf, 'data', 'dicom', name, 'series');
        for (const file of readdirSync(series)) await orthanc.store(readFileSync(join(series, file)));
      }
      const pulled = await pull(orthanc.url, 'shelf', [...AS_USER, '--json'], WITH_PASSWORD);
      const paths = names.map((name) => join(shelf, 'data', 'dicom', name, 'series'));
      const direct = spawnSync(process.execPath, [PROGRAM, '--home', join(folder, 'direct'), 'index', '--json', ...paths], {
        encoding: 'utf8',
      });
      const told = (lines: readonly Line[]) => lines.map(summaryOf).sort();
      expect(told(linesOf(pulled))).toEqual(told(linesOf(direct)));
      expect(linesOf(pulled)).toHaveLength(names.length);
    } finally {
      await orthanc.stop();
    }
  }, 90_000);
});

/** All that does not depend on where the files lie and under which salt. */
function summaryOf(line: Line): string {
  const ownToTheSite = ['path', 'series', 'patient', 'examination'];
  const kept = Object.entries(line).filter(([name]) => !ownToTheSite.includes(name));
  return JSON.stringify(kept);
}

async function expectSameVolume(series: MadeSeries, site: string): Promise<void> {
  const original = join(folder, `original-${series.series}`);
  mkdirSync(original, { recursive: true });
  for (const [uid, file] of series.instances) writeFileSync(join(original, uid), file);
  const expected = await onlyVolumeOf(original);
  const volumes = await Promise.all(
    readdirSync(join(folder, site, 'pulled')).map((name) => onlyVolumeOf(join(folder, site, 'pulled', name))),
  );
  const same = volumes.filter(({ voxels }) => Buffer.from(voxels.buffer).equals(Buffer.from(expected.voxels.buffer)));
  expect(same).toHaveLength(1);
  expect(same[0]).toMatchObject({ affine: expected.affine, sizeVoxels: expected.sizeVoxels, spacingMm: expected.spacingMm });
}

async function onlyVolumeOf(path: string): Promise<Volume> {
  const { series } = await listDicomSeries(path);
  expect(series).toHaveLength(1);
  return readVolume({ kind: 'dicom', files: series[0]?.files ?? [], stack: 0, frame: 0 });
}
