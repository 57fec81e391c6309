import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makePrivateFile, makePrivateFolder, takeFromOthers } from './private-files.js';

describe('private files', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'private-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });
  const modeOf = (name: string): number => statSync(join(folder, name)).mode & 0o777;

  it('are made for their owner, in folders for their owner', () => {
    makePrivateFolder(join(folder, 'site', 'prepared'));
    makePrivateFile(join(folder, 'site', 'file'));
    expect(['site', 'site/prepared', 'site/file'].map(modeOf)).toEqual([0o700, 0o700, 0o600]);
  });

  it('take files that are there from others, and leave folders that are there as a person made them', () => {
    mkdirSync(join(folder, 'shared'));
    chmodSync(join(folder, 'shared'), 0o755);
    writeFileSync(join(folder, 'file'), 'kept');
    chmodSync(join(folder, 'file'), 0o664);
    makePrivateFolder(join(folder, 'shared'));
    makePrivateFile(join(folder, 'file'));
    expect([modeOf('shared'), modeOf('file'), statSync(join(folder, 'file')).size]).toEqual([0o755, 0o600, 4]);
    takeFromOthers(join(folder, 'absent'));
    expect(existsSync(join(folder, 'absent'))).toBe(false);
  });
});
