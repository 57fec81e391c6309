import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { refusalOf } from '../../../test/fixtures/refusal.js';
import { lockHome } from './home-lock.js';

describe('lockHome', () => {
  let folder: string;
  let lockFile: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'lock-'));
    lockFile = join(folder, 'coordinator.lock');
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  it('lets one in at a time', () => {
    const unlock = lockHome(lockFile);
    expect(refusalOf(() => lockHome(lockFile)).code).toBe('COORDINATOR_ALREADY_RUNNING');
    unlock();
    lockHome(lockFile)();
    expect(existsSync(lockFile)).toBe(false);
  });

  it('respects a living process', () => {
    writeFileSync(lockFile, String(process.ppid));
    expect(refusalOf(() => lockHome(lockFile)).code).toBe('COORDINATOR_ALREADY_RUNNING');
  });

  it.each(['dead', 'own', 'garbage'])('takes over the lock of a process that is gone (%s)', (kind) => {
    const { pid } = spawnSync(process.execPath, ['-e', '0']);
    writeFileSync(lockFile, kind === 'dead' ? String(pid) : kind === 'own' ? String(process.pid) : 'x');
    lockHome(lockFile)();
  });
});
