import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inTransaction, openSiteDatabase, storageError } from './database.js';

describe('inTransaction', () => {
  it('on a full disk keeps what was there before and says so', () => {
    const folder = mkdtempSync(join(tmpdir(), 'database-'));
    try {
      const database = openSiteDatabase(join(folder, 'site.sqlite'));
      database.exec('CREATE TABLE kept (bytes BLOB)');
      inTransaction(database, () => database.prepare('INSERT INTO kept VALUES (zeroblob(100))').run());
      database.pragma('max_page_count = 20');
      const fill = (): void =>
        inTransaction(database, () => {
          for (let row = 0; row < 100; row++) database.prepare('INSERT INTO kept VALUES (zeroblob(10000))').run();
        });
      expect(thrownBy(fill)).toMatchObject({ code: 'DISK_FULL', remedy: expect.stringContaining('goes on') as string });
      expect(database.prepare('SELECT COUNT(*) AS rows FROM kept').get()).toMatchObject({ rows: 1 });
      inTransaction(database, () => database.prepare('INSERT INTO kept VALUES (zeroblob(1))').run());
      expect(database.prepare('SELECT COUNT(*) AS rows FROM kept').get()).toMatchObject({ rows: 2 });
      database.close();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('storageError', () => {
  it('tells a damaged database and a bug of ours apart from a disk that fails', () => {
    const of = (thrown: unknown) => storageError(thrown, 'the index', 'Check the disk.');
    expect(of(new Error('disk I/O error'))).toMatchObject({ code: 'STORAGE_FAILED', remedy: 'Check the disk.' });
    const damaged = of(new Error('database disk image is malformed'));
    expect(damaged).toMatchObject({ code: 'STORAGE_FAILED', remedy: expect.stringContaining('backup') as string });
    expect(of(new ReferenceError('x is not defined'))).toMatchObject({ code: 'INVARIANT' });
  });
});

function thrownBy(work: () => void): unknown {
  try {
    work();
  } catch (thrown) {
    return storageError(thrown, 'it failed', 'Look.');
  }
  return undefined;
}
