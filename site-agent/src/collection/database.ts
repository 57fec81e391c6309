import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';
import type Libsql from 'libsql';
import { makePrivateFile, makePrivateFolder, takeFromOthers } from '../config/private-files.js';

/** An open SQLite database with better-sqlite3's synchronous interface. */
export type SqliteDatabase = Libsql.Database;

/**
 * Opens (or creates) the site's database, readable by its owner only: write-ahead log, every commit on disk before it returns,
 * five seconds of patience with another process of this site. STORAGE_FAILED when it cannot be opened or is not a database.
 */
export function openSiteDatabase(file: string): SqliteDatabase {
  try {
    makePrivateFolder(dirname(file));
    makePrivateFile(file);
    for (const beside of ['-wal', '-shm']) takeFromOthers(`${file}${beside}`);
    const Database = createRequire(import.meta.url)('libsql') as typeof Libsql;
    const database = new Database(file);
    for (const setting of ['busy_timeout = 5000', 'journal_mode = WAL', 'synchronous = FULL']) database.pragma(setting);
    return database;
  } catch (thrown) {
    throw storageError(thrown, 'the site database cannot be opened', 'Check the folder given by --home and its permissions.');
  }
}

/**
 * All changes that are made within are kept together, or none of them. The right to write is waited for at the beginning: libsql leaves
 * a prepared statement half-way that meets another process's lock, and as long as it stands there nothing else is kept.
 *
 * On a full disk SQLite has taken the changes back itself: the error that is thrown is the first one, never that of a second taking back.
 */
export function inTransaction<T>(database: Pick<SqliteDatabase, 'exec'>, make: () => T): T {
  database.exec('BEGIN IMMEDIATE');
  try {
    const made = make();
    database.exec('COMMIT');
    return made;
  } catch (thrown) {
    try {
      database.exec('ROLLBACK');
    } catch {
      // it was taken back already
    }
    throw thrown;
  }
}

/** What a failed statement means: a full disk, or storage that failed for another reason. */
export function storageError(thrown: unknown, what: string, remedy: string): FederationError {
  if (thrown instanceof TypeError || thrown instanceof ReferenceError) return FederationError.from(thrown); // a bug, no disk's fault
  const error = FederationError.from(thrown, 'STORAGE_FAILED');
  if (error.code === 'DISK_FULL') {
    return new FederationError('DISK_FULL', 'the disk is full; the site’s database is sound and holds all up to here', {
      cause: thrown,
      remedy: 'Free some space and run the same command again: it goes on from here.',
    });
  }
  if (error.code !== 'STORAGE_FAILED') return error;
  if (/malformed|not a database/.test(error.message)) {
    return new FederationError('STORAGE_FAILED', `${what}: ${error.message}`, {
      cause: thrown,
      remedy:
        'The file is damaged: restore it from a backup. Without one, move site.sqlite away and index again; ' +
        'patients who opted out must then be named once more with "site-agent forget".',
    });
  }
  return new FederationError('STORAGE_FAILED', `${what}: ${error.message}`, { cause: thrown, remedy });
}
