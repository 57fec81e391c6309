import { spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Check, checkNodejsVersion } from '@consilium/shared/terminal';
import { checkDisk } from '../../coordinator/src/commands/doctor-checks.js';
import { diagnose } from '../../coordinator/src/commands/doctor.js';
import { homeFolder } from '../../coordinator/src/home/home-folder.js';
import { TestCoordinator } from '../fixtures/open-test-coordinator.js';
import { describeOnEachDatabase } from '../fixtures/start-postgres.js';

describeOnEachDatabase('coordinator doctor', (newDatabase) => {
  let folder: string;
  let home: string;
  let database: string | undefined;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'doctor-'));
    home = join(folder, 'home');
    database = await newDatabase();
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const settings = async (text: string): Promise<void> => {
    await mkdir(home, { recursive: true, mode: 0o700 });
    await writeFile(join(home, 'coordinator.yaml'), `${database === undefined ? '' : `database: ${database}\n`}${text}`);
  };
  const found = async (name: string): Promise<Check | undefined> => (await diagnose(home)).find((check) => check.name === name);

  it('finds nothing wrong before the first start, while it runs, and afterwards', async () => {
    await settings('publicUrl: https://consilium.invalid\n');
    const states = async () => (await diagnose(home)).map(({ name, status }) => `${name} ${status}`);
    const fine = ['Node ok', 'folder ok', 'disk ok', 'records ok', 'weight files ok', 'line ok'];
    expect((await states()).filter((state) => !state.startsWith('disk') && !state.startsWith('coordinator'))).toEqual(
      fine.filter((state) => !state.startsWith('disk')),
    );
    await settings('');
    const coordinator = await TestCoordinator.openIn(home, { database });
    expect(await found('records')).toMatchObject({ status: 'ok' });
    expect(await found('coordinator')).toMatchObject({ status: 'ok', finding: `${coordinator.url} answers and is ready` });
    await coordinator.stop();
    expect(await found('coordinator')).toMatchObject({ status: 'ok', finding: 'not running' });
    expect(await found('records')).toMatchObject({ status: 'ok' });
  });
});

describe('coordinator doctor', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'doctor-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const found = async (name: string, text: string): Promise<Check | undefined> => {
    await writeFile(join(folder, 'coordinator.yaml'), text);
    return (await diagnose(folder)).find((check) => check.name === name);
  };

  it('says what is wrong with a line, a certificate, a database and a bucket, and what to do', async () => {
    expect(await found('line', '')).toMatchObject({ status: 'warning', finding: 'this machine only' });
    expect(await found('line', 'host: 0.0.0.0\n')).toMatchObject({ status: 'failed', code: 'CONFIG_INVALID' });
    expect(await found('line', 'host: 0.0.0.0\nplainHttp: true\n')).toMatchObject({ status: 'warning' });
    const proxied = 'host: 0.0.0.0\nplainHttp: true\npublicUrl: https://consilium.invalid\n';
    expect(await found('line', proxied)).toMatchObject({ status: 'ok' });
    expect(await found('coordinator', proxied)).toMatchObject({ status: 'warning', code: 'COORDINATOR_UNREACHABLE' });
    makeCertificate(folder, 10);
    const own = 'host: 0.0.0.0\ntlsCertificate: cert.pem\ntlsKey: key.pem\n';
    expect(await found('line', own)).toMatchObject({
      status: 'warning',
      finding: expect.stringContaining('consilium.test') as string,
    });
    makeCertificate(folder, 300);
    expect(await found('line', own)).toMatchObject({ status: 'ok' });
    await writeFile(join(folder, 'key.pem'), 'not a key');
    expect(await found('line', own)).toMatchObject({ status: 'failed', code: 'CONFIG_INVALID' });
    const nobody = 'database: postgres://consilium:secret@127.0.0.1:9/consilium\n';
    const records = await found('records', nobody);
    expect(records).toMatchObject({ status: 'failed', remedy: expect.stringContaining('database') as string });
    expect(JSON.stringify(records)).not.toContain('secret');
    const nowhere = 'blobs: s3://weights\ns3Endpoint: http://127.0.0.1:9\n';
    expect(await found('weight files', nowhere)).toMatchObject({ status: 'failed', code: 'CONFIG_INVALID' });
  }, 60_000);

  it('sees a folder that others can read, a disk that is nearly full, and an old Node', async () => {
    await chmod(folder, 0o755);
    expect(await found('folder', '')).toMatchObject({ status: 'warning', remedy: expect.stringContaining('chmod') as string });
    expect(checkDisk(homeFolder(folder), 5e9)).toMatchObject({ status: 'warning' });
    expect(checkDisk(homeFolder(folder), 5e8)).toMatchObject({ status: 'failed', code: 'DISK_FULL' });
    expect([
      checkNodejsVersion('18.20.0').status,
      checkNodejsVersion('20.18.1').status,
      checkNodejsVersion('20.19.0').status,
    ]).toEqual(['failed', 'failed', 'ok']);
  });
});

function makeCertificate(folder: string, days: number): void {
  const names = ['-subj', '/CN=consilium.test', '-addext', 'subjectAltName=DNS:consilium.test'];
  const files = ['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')];
  const { status } = spawnSync('openssl', [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    String(days),
    ...names,
    ...files,
  ]);
  expect(status).toBe(0);
}
