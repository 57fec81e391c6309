import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROJECT_ROOT } from '../../../test/fixtures/reference-shelf.js';
import { refusalOf } from '../../../test/fixtures/refusal.js';
import { homeFolder, type HomeFolder } from './home-folder.js';
import { lockHome } from './home-lock.js';

describe('lockHome', () => {
  let home: HomeFolder;
  beforeEach(() => {
    home = homeFolder(mkdtempSync(join(tmpdir(), 'lock-')));
  });
  afterEach(() => rmSync(home.path, { recursive: true }));

  it('lets one in at a time, and names the one that runs', () => {
    const unlock = lockHome(home);
    expect(refusalOf(() => lockHome(home))).toMatchObject({ code: 'COORDINATOR_ALREADY_RUNNING', details: { pid: null } });
    writeFileSync(home.stateFile, JSON.stringify({ pid: 4711 }));
    expect(refusalOf(() => lockHome(home))).toMatchObject({
      message: expect.stringContaining('process 4711') as string,
      details: { pid: 4711 },
    });
    unlock();
    lockHome(home)();
  });

  it('respects another process, and is free as soon as that one is killed, whoever has its id then', async () => {
    const holder = spawn(
      process.execPath,
      [
        '-e',
        `const lock = new (require('libsql'))(process.argv[1]); lock.exec('BEGIN EXCLUSIVE'); console.log('held'); setInterval(() => {}, 1000);`,
        home.lockFile,
      ],
      { env: { ...process.env, NODE_PATH: join(PROJECT_ROOT, 'node_modules') } },
    );
    await once(holder.stdout, 'data');
    expect(refusalOf(() => lockHome(home)).code).toBe('COORDINATOR_ALREADY_RUNNING');
    holder.kill('SIGKILL');
    await once(holder, 'close');
    // What a killed coordinator leaves names a process; the id may be that of any other by now.
    writeFileSync(home.stateFile, JSON.stringify({ pid: process.ppid }));
    lockHome(home)();
  });

  it('passes over what a coordinator of an earlier version has left', () => {
    writeFileSync(join(home.path, 'coordinator.lock'), String(process.ppid));
    lockHome(home)();
  });
});
