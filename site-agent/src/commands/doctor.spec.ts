import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeDiagnosis, diagnose } from './doctor.js';
import { checkCoordinator, checkFreeDisk, checkNodeVersion, checkRuntime, checkSiteFolder } from './doctor-checks.js';

describe('site-agent doctor', () => {
  let home: string;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'doctor-'));
  });
  afterEach(() => rm(home, { recursive: true, force: true }));

  it('finds this computer able to train and shows the facts', async () => {
    const diagnosis = await diagnose(join(home, 'new-site'));
    expect(diagnosis.healthy).toBe(true);
    expect(diagnosis.runtime).toMatchObject({ version: '2.21.0', library: 'TensorFlow' });
    const text = describeDiagnosis(diagnosis);
    for (const word of ['2.21.0', 'oneDNN', 'cores', 'GFLOPS', 'GPU', 'made at the first start', 'not joined yet', 'can train']) {
      expect(text).toContain(word);
    }
  });

  it('shows a missing runtime as one line with its remedy', () => {
    const { checks, facts } = checkRuntime({ runtimeFolder: home });
    expect(facts).toBeUndefined();
    expect(checks).toEqual([expect.objectContaining({ name: 'TensorFlow', status: 'failed', code: 'RUNTIME_MISSING' })]);
    expect(describeDiagnosis({ checks, healthy: false })).toMatch(/npm run setup[\s\S]*cannot train yet/);
  });

  it('tells an old Node, a small disk and a folder that cannot be made', () => {
    expect(checkNodeVersion('20.18.3').status).toBe('failed');
    expect(checkNodeVersion('20.19.0').status).toBe('ok');
    expect(checkNodeVersion('24.1.0').status).toBe('ok');
    expect([1e8, 1e9, 1e10].map((free) => checkFreeDisk(home, free).status)).toEqual(['failed', 'warning', 'ok']);
    expect(checkSiteFolder('/proc/self/site')).toMatchObject({ status: 'failed', code: 'FOLDER_MISSING' });
  });

  it('asks the coordinator, and says so when nothing answers', async () => {
    const answering = createServer((_request, response) => response.writeHead(404).end());
    await new Promise<void>((resolve) => answering.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(answering.address() as AddressInfo).port}`;
    expect(await checkCoordinator(url)).toMatchObject({ status: 'ok' });
    await new Promise((resolve) => answering.close(resolve));
    expect(await checkCoordinator(url)).toMatchObject({ status: 'warning', code: 'COORDINATOR_UNREACHABLE' });
    expect(await checkCoordinator(undefined)).toMatchObject({ finding: 'not joined yet' });
  });
});
