import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';
import type Libsql from 'libsql';

/** An open SQLite database with better-sqlite3's synchronous interface. */
export type SqliteDatabase = Libsql.Database;

/**
 * Opens (or creates) the site's database: write-ahead log, every commit on disk before it returns, five seconds of patience
 * with another process of this site. STORAGE_FAILED when it cannot be opened or is not a database.
 */
export function openSiteDatabase(file: string): SqliteDatabase {
  try {
    mkdirSync(dirname(file), { recursive: true });
    const Database = createRequire(import.meta.url)('libsql') as typeof Libsql;
    const database = new Database(file);
    for (const setting of ['busy_timeout = 5000', 'journal_mode = WAL', 'synchronous = FULL']) database.pragma(setting);
    return database;
  } catch (thrown) {
    throw storageError(thrown, 'the site database cannot be opened', 'Check the folder given by --home and its permissions.');
  }
}

/** What a failed statement means: a full disk, or storage that failed for another reason. */
export function storageError(thrown: unknown, what: string, remedy: string): FederationError {
  const error = FederationError.from(thrown, 'STORAGE_FAILED');
  if (error.code !== 'STORAGE_FAILED') return error;
  return new FederationError('STORAGE_FAILED', `${what}: ${error.message}`, { cause: thrown, remedy });
}
