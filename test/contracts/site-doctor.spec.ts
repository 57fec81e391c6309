import { chmodSync, copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Check } from '@consilium/shared/terminal';
import { indexCollection } from '../../site-agent/src/collection/index-collection.js';
import { checkData } from '../../site-agent/src/commands/doctor-data.js';
import { checkLink } from '../../site-agent/src/commands/doctor-link.js';
import { checkUpload } from '../../site-agent/src/commands/doctor-upload.js';
import { loadAgentConfig } from '../../site-agent/src/config/agent-config.js';
import { siteFolder } from '../../site-agent/src/config/site-folder.js';
import { outgoingLine } from '../../site-agent/src/link/outgoing-line.js';
import { measureUpload } from '../../site-agent/src/link/measure-upload.js';
import { BearerIdentity } from '../../site-agent/src/link/request-identity.js';
import { siteAccess } from '../../site-agent/src/link/site-access.js';
import { writeDicomSeries } from '../fixtures/make-dicom-series.js';
import { makePhantom, writeNifti } from '../fixtures/make-volume.js';
import { MODEL, plan } from '../fixtures/made-campaign.js';
import { TestCoordinator } from '../fixtures/open-test-coordinator.js';
import { askOperator } from '../fixtures/raw-site.js';
import { runSiteAgent } from '../fixtures/run-site-agent.js';
import { SignedSite } from '../fixtures/signed-site.js';
import { SlowLine } from '../fixtures/slow-line.js';

describe('the doctor of a site beside its coordinator', () => {
  let coordinator: TestCoordinator;
  let site: SignedSite;
  const cleanUps: (() => unknown)[] = [];

  beforeAll(async () => {
    coordinator = await TestCoordinator.open();
    site = await SignedSite.join(coordinator, 'aare');
  });
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
    writeFileSync(site.folder.settingsFile, '');
  });
  afterAll(async () => {
    await coordinator.remove();
    await site.remove();
  });

  /** What the doctor finds with these settings. */
  async function found(
    settings: string,
    name: string,
    options: Parameters<typeof checkLink>[1] = {},
  ): Promise<Check | undefined> {
    writeFileSync(site.folder.settingsFile, settings);
    const checks = await checkLink(loadAgentConfig({ home: site.home, environment: {} }), options);
    return checks.find((check) => check.name === name);
  }
  const port = (): number => Number(new URL(coordinator.url).port);

  it('measures a slow line within a factor of two, and says what that means for an update', async () => {
    const bytesPerSecond = 400_000;
    const slow = await SlowLine.open(port(), bytesPerSecond);
    cleanUps.push(() => slow.close());
    writeFileSync(site.folder.settingsFile, `coordinator: ${slow.url}\n`);
    const config = loadAgentConfig({ home: site.home, environment: {} });
    const access = siteAccess(site.folder, site.saved, { coordinatorUrl: slow.url, line: outgoingLine(config) });
    const measured = await measureUpload(access, { signal: AbortSignal.timeout(20_000) });
    expect(measured.bytesPerSecond).toBeGreaterThan(bytesPerSecond / 2);
    expect(measured.bytesPerSecond).toBeLessThan(bytesPerSecond * 2);
    expect(measured.tookMs).toBeLessThan(8_000);
    await askOperator(coordinator, 'POST', '/api/campaigns', plan('chest', { rounds: 1, quorum: 1, model: MODEL }));
    const upload = await found(`coordinator: ${slow.url}\n`, 'upload');
    expect(upload).toMatchObject({
      status: 'ok',
      finding: expect.stringMatching(/KiB\/s .*: an update of chest, at most /) as string,
    });
  }, 60_000);

  it('keeps to the limit that the site sets its uploads', async () => {
    const upload = await found(`coordinator: ${coordinator.url}\nuploadLimit: 200kB\n`, 'upload');
    const [, speed] = /^([\d.]+) KiB\/s .*held to 195.3 KiB\/s by uploadLimit/.exec(upload?.finding ?? '') ?? [];
    expect(Number(speed)).toBeGreaterThan(98);
    expect(Number(speed)).toBeLessThan(391);
  }, 60_000);

  it('measures nothing under a policy that cannot be read, which may have held uploads back', async () => {
    writeFileSync(site.folder.policyFile, 'uploadLimit: [');
    cleanUps.push(() => rm(site.folder.policyFile));
    expect(await found(`coordinator: ${coordinator.url}\n`, 'membership')).toMatchObject({ status: 'ok' });
    expect(await found(`coordinator: ${coordinator.url}\n`, 'upload')).toBeUndefined();
  });

  it('measures nothing when it is told so, or where the coordinator is too old', async () => {
    expect(await found(`coordinator: ${coordinator.url}\n`, 'upload', { measuresUpload: false })).toBeUndefined();
    expect(await found(`coordinator: ${coordinator.url}\n`, 'membership', { measuresUpload: false })).toMatchObject({
      status: 'ok',
    });
    const old = createServer((request, response) => {
      request.resume().on('end', () => response.writeHead(404).end('{"code":"NOT_FOUND","message":"Cannot POST"}'));
    });
    await new Promise<void>((resolve) => old.listen(0, '127.0.0.1', resolve));
    cleanUps.push(() => old.close());
    const coordinatorUrl = `http://127.0.0.1:${(old.address() as AddressInfo).port}`;
    const upload = await checkUpload({ coordinatorUrl, identity: new BearerIdentity('any') }, [], undefined);
    expect(upload).toEqual({ name: 'upload', status: 'ok', finding: 'not measured: this coordinator is too old for it' });
  });

  it('finds a clock that is hours off, by the coordinator’s own', async () => {
    const otherDate = createServer((_request, response) => {
      const date = new Date(Date.now() - 3 * 3_600_000).toUTCString();
      response.writeHead(404, { date, 'content-type': 'application/json' }).end('{"code":"NOT_FOUND"}');
    });
    await new Promise<void>((resolve) => otherDate.listen(0, '127.0.0.1', resolve));
    cleanUps.push(() => {
      otherDate.closeAllConnections();
      otherDate.close();
    });
    const settings = `coordinator: http://127.0.0.1:${(otherDate.address() as AddressInfo).port}\nhours: Mon-Fri 20:00-06:00\n`;
    const clock = await found(settings, 'clock');
    expect(clock).toMatchObject({
      status: 'warning',
      finding: expect.stringMatching(/^3 h 0 min ahead of .* time zone/) as string,
    });
    expect(clock?.remedy).toContain('time synchronisation');
    expect(await found(`coordinator: ${coordinator.url}\n`, 'clock', { measuresUpload: false })).toMatchObject({ status: 'ok' });
  });

  it('begins with what fails first: a name that is not known', async () => {
    writeFileSync(site.folder.settingsFile, 'coordinator: https://coordinator.invalid:7340\n');
    const checks = await checkLink(loadAgentConfig({ home: site.home, environment: {} }));
    expect(checks.map(({ name, status }) => `${name} ${status}`)).toEqual([
      'DNS warning',
      'proxy ok',
      'TLS warning',
      'coordinator warning',
    ]);
    expect(checks[0]).toMatchObject({
      finding: expect.stringMatching(/coordinator\.invalid: its name (is not|cannot)/) as string,
    });
  }, 60_000);
});

describe('the doctor of a site over its scans', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'doctor-data-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const look = (options: Parameters<typeof checkData>[1] = {}): Promise<Check[]> =>
    checkData(siteFolder(join(folder, 'site')), options, new AbortController().signal);

  it('counts what is there before and after indexing, and sees what has changed since', async () => {
    const scans = join(folder, 'scans');
    mkdirSync(scans);
    writeNifti(join(scans, 'mueller.nii'), makePhantom('a', 'CT'));
    writeNifti(join(scans, 'meier.nii'), makePhantom('b', 'CT'));
    mkdirSync(join(scans, 'series'));
    writeDicomSeries(join(scans, 'series'));
    const slices = readdirSync(join(scans, 'series')).length;
    writeFileSync(join(scans, 'broken.nii'), 'no scan');
    writeFileSync(join(scans, 'notes.txt'), 'nothing of ours');
    expect(await look()).toMatchObject([{ name: 'scans', status: 'warning', finding: 'no folder of scans is indexed yet' }]);
    const before = await look({ folders: [scans] });
    const files = slices + 4;
    expect(before).toMatchObject([
      {
        status: 'warning',
        finding: `3 NIfTI files and 1 DICOM series (${slices} files) among ${files} files; 1 cannot be read (VOLUME_UNREADABLE)`,
      },
      { name: 'index', status: 'warning' },
    ]);
    await indexCollection({ paths: [scans], site: siteFolder(join(folder, 'site')), threads: 1 });
    const [seen, index] = await look();
    expect(seen).toMatchObject({
      finding: expect.stringContaining(`3 NIfTI files and 1 DICOM series (${slices} files)`) as string,
    });
    expect(index).toMatchObject({
      status: 'ok',
      finding: expect.stringMatching(/1 refused \(VOLUME_UNREADABLE\), up to date$/) as string,
    });
    copyFileSync(join(scans, 'mueller.nii'), join(scans, 'weber.nii'));
    const after = await look({ all: true });
    expect(after[1]).toMatchObject({
      status: 'warning',
      finding: expect.stringContaining('1 files are new or changed') as string,
    });
    for (const text of [before, after].map((checks) => JSON.stringify(checks)))
      for (const name of ['mueller', 'meier', 'weber', 'broken']) expect(text).not.toContain(name);
  });

  it('says that a folder is gone', async () => {
    expect(await look({ folders: [join(folder, 'nowhere')] })).toMatchObject([{ status: 'failed', code: 'FOLDER_MISSING' }, {}]);
    mkdirSync(join(folder, 'empty'));
    chmodSync(join(folder, 'empty'), 0o755);
    expect(await look({ folders: [join(folder, 'empty')] })).toMatchObject([{ status: 'failed', code: 'COLLECTION_EMPTY' }, {}]);
  });
});

describe('the program', () => {
  it('prints all lines as JSON, and ends with the code of the first failure alone', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'doctor-program-'));
    try {
      const fine = await runSiteAgent(folder, 'doctor', '--json', '--no-upload');
      const { checks, healthy } = JSON.parse(fine.stdout) as { checks: Check[]; healthy: boolean };
      const names = checks.map(({ name }) => name);
      expect(names).toEqual(expect.arrayContaining(['Node', 'GPU', 'disk', 'shared memory', 'policy', 'scans', 'coordinator']));
      expect([healthy, fine.status]).toEqual([true, 0]);
      expect(checks.filter(({ status, remedy }) => status !== 'ok' && remedy === undefined)).toEqual([]);
      const failing = await runSiteAgent(folder, 'doctor', '--data', join(folder, 'nowhere'));
      expect([failing.status, failing.stdout]).toEqual([2, expect.stringMatching(/✗ scans: Check that/) as string]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }, 120_000);
});
