import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { locateRuntime } from '../engine/runtime/locate-runtime.js';
import { readRuntimeFacts } from '../engine/runtime/runtime-facts.js';
import { describeDiagnosis, diagnose } from './doctor.js';
import { checkNodejsVersion } from '@consilium/shared/terminal';
import { within } from './doctor-bounds.js';
import { checkRuntime, checkSiteFolder, judgeDisk } from './doctor-checks.js';
import { checkCoordinator } from './doctor-link.js';
import { probeRuntime } from './runtime-probe.js';

describe('site-agent doctor', () => {
  let home: string;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'doctor-'));
  });
  afterEach(() => rm(home, { recursive: true, force: true }));

  it('finds this computer able to train and shows the facts', async () => {
    const diagnosis = await diagnose(join(home, 'new-site'), {}, async (search) => readRuntimeFacts(locateRuntime(search)));
    expect(diagnosis.healthy).toBe(true);
    expect(diagnosis.runtime).toMatchObject({ version: '2.21.0', library: 'TensorFlow' });
    const text = describeDiagnosis(diagnosis);
    for (const word of [
      '2.21.0',
      'oneDNN',
      'bfloat16',
      'cores',
      'GFLOPS',
      'GPU',
      'made at the first start',
      'not joined yet',
      'can train',
    ]) {
      expect(text).toContain(word);
    }
  });

  it('shows a missing runtime as one line with its remedy', async () => {
    const { checks, facts } = await checkRuntime({ runtimeFolder: home });
    expect(facts).toBeUndefined();
    expect(checks).toEqual([expect.objectContaining({ name: 'TensorFlow', status: 'failed', code: 'RUNTIME_MISSING' })]);
    expect(describeDiagnosis({ checks, healthy: false })).toMatch(/npm run setup[\s\S]*cannot train yet/);
  });

  it('survives a library that ends the process, and keeps its last words', async () => {
    const program = join(home, 'crash.mjs');
    await writeFile(program, `console.error('illegal thing'); setTimeout(() => process.kill(process.pid, 'SIGILL'), 50);`);
    await expect(probeRuntime({}, program)).rejects.toMatchObject({
      code: 'RUNTIME_MISSING',
      message: expect.stringContaining('SIGILL') as string,
      remedy: expect.stringMatching(/processor lacks.*illegal thing/) as string,
    });
  });

  it('passes on what the probing process found', async () => {
    const program = join(home, 'answer.mjs');
    await writeFile(program, `process.send({ facts: { version: '0', search: process.argv[2] } });`);
    expect(await probeRuntime({ variant: undefined }, program)).toEqual({ version: '0', search: '{}' });
    await writeFile(program, `process.send({ code: 'RUNTIME_MISSING', message: 'none', remedy: 'lay one' });`);
    await expect(probeRuntime({}, program)).rejects.toMatchObject({ code: 'RUNTIME_MISSING', remedy: 'lay one' });
  });

  it('tells an old Node, a small disk and a folder that cannot be made', () => {
    expect(checkNodejsVersion('20.18.3').status).toBe('failed');
    expect(checkNodejsVersion('20.19.0').status).toBe('ok');
    expect(checkNodejsVersion('24.1.0').status).toBe('ok');
    const judged = [1e8, 1e9, 1e10].map((freeBytes) => judgeDisk({ freeBytes, freeFiles: undefined }).status);
    expect(judged).toEqual(['failed', 'warning', 'ok']);
    expect(judgeDisk({ freeBytes: 1e12, freeFiles: 3 })).toMatchObject({
      status: 'warning',
      finding: expect.stringContaining('3 files') as string,
    });
    expect(checkSiteFolder('/proc/self/site')).toMatchObject({ status: 'failed', code: 'FOLDER_MISSING' });
  });

  it('cuts a check that hangs, and says so; what a check throws is a failed line', async () => {
    const stopped = new Promise((resolve) => {
      const hanging = within(
        'scans',
        50,
        (signal) => new Promise(() => signal.addEventListener('abort', () => resolve(hanging))),
      );
    });
    expect(await stopped).toMatchObject([{ name: 'scans', status: 'warning', finding: 'took longer than 0.1 s and was cut' }]);
    const thrown = await within('disk', 1000, () => Promise.reject(new Error('gone')));
    expect(thrown).toMatchObject([{ name: 'disk', status: 'failed', finding: expect.stringContaining('gone') as string }]);
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
