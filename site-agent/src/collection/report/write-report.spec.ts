import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeReport } from './write-report.js';

describe('writeReport', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'report-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('writes for its owner only, over an older page that all could read', async () => {
    const file = join(folder, 'report.html');
    writeFileSync(file, 'older');
    chmodSync(file, 0o644);
    await writeReport(file, 'newer');
    expect([readFileSync(file, 'utf8'), statSync(file).mode & 0o777]).toEqual(['newer', 0o600]);
    expect(readdirSync(folder)).toEqual(['report.html']);
  });

  it('follows a link, and leaves nothing behind when it cannot write', async () => {
    symlinkSync('elsewhere.html', join(folder, 'link.html'));
    await writeReport(join(folder, 'link.html'), 'page');
    expect(readFileSync(join(folder, 'elsewhere.html'), 'utf8')).toBe('page');
    mkdirSync(join(folder, 'taken.html'));
    await expect(writeReport(join(folder, 'taken.html'), 'page')).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    await expect(writeReport(join(folder, 'nowhere', 'report.html'), 'page')).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    expect(readdirSync(folder).sort()).toEqual(['elsewhere.html', 'link.html', 'taken.html']);
  });
});
