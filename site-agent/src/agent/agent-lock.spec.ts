import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROJECT_ROOT } from '../../../test/fixtures/reference-shelf.js';
import { siteFolder } from '../config/site-folder.js';
import { lockHome } from './agent-lock.js';
import { initialStatus } from './agent-status.js';
import { fetchStatus, openStatusPage } from './status-page.js';
import { readStatusFile, writeStatusFile } from './status-file.js';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'lock-'));
});
afterEach(() => rm(home, { recursive: true, force: true }));

describe('the lock on a home', () => {
  it('is held once and can be taken again after its release', () => {
    const folder = siteFolder(join(home, 'site'));
    const release = lockHome(folder);
    writeStatusFile(folder, { pid: 4711, port: 1 });
    expect(() => lockHome(folder)).toThrow(
      expect.objectContaining({ code: 'AGENT_ALREADY_RUNNING', details: { pid: 4711 } }) as Error,
    );
    release();
    lockHome(folder)();
  });

  it('is free as soon as its holder is killed', async () => {
    const folder = siteFolder(home);
    const program = join(home, 'holder.cjs');
    await writeFile(
      program,
      `const lock = new (require('libsql'))(process.argv[2]); lock.exec('BEGIN EXCLUSIVE'); console.log('held'); setInterval(() => {}, 1000);`,
    );
    const holder = spawn(process.execPath, [program, folder.lockFile], {
      env: { ...process.env, NODE_PATH: join(PROJECT_ROOT, 'node_modules') },
    });
    await new Promise((resolve) => holder.stdout.once('data', resolve));
    expect(() => lockHome(folder)).toThrow(expect.objectContaining({ code: 'AGENT_ALREADY_RUNNING' }) as Error);
    const gone = new Promise((resolve) => holder.once('close', resolve));
    holder.kill('SIGKILL');
    await gone;
    lockHome(folder)();
  });
});

describe('the status page', () => {
  const versions = { agent: '0.1.0', protocol: 1, node: '20' };
  const status = initialStatus({ siteName: 'aare', coordinatorUrl: 'http://127.0.0.1:1', startedAtMs: 5, volumes: 2, versions });

  it('answers on loopback while the agent runs, and the status file says where', async () => {
    const folder = siteFolder(home);
    const page = await openStatusPage(folder, 0, () => status);
    expect(readStatusFile(folder)).toEqual({ pid: process.pid, port: page.port });
    await expect(fetchStatus(folder)).resolves.toEqual(status);
    const other = await fetch(`http://127.0.0.1:${page.port}/other`);
    expect(other.status).toBe(404);
    await expect(openStatusPage(folder, page.port, () => status)).rejects.toMatchObject({ code: 'PORT_BUSY' });
    await page.close();
    await expect(fetchStatus(folder)).resolves.toBeUndefined();
  });

  it('takes no stranger for the agent', async () => {
    const folder = siteFolder(home);
    const page = await openStatusPage(folder, 0, () => ({ ...status, pid: 1 }));
    await expect(fetchStatus(folder)).resolves.toBeUndefined();
    await page.close();
  });
});
