import { FederationError } from '@consilium/shared/kernel';
import { inTransaction, type SqliteDatabase } from './database.js';

/** Raise it with each change of the tables, and add the step that leads there. */
const VERSION = 2;

const TABLES = `
  CREATE TABLE collection_folder (
    path TEXT PRIMARY KEY,
    modality TEXT,
    frames TEXT NOT NULL
  );
  -- Every file below the folders, scans or not: unchanged ones are not read again.
  CREATE TABLE collection_file (
    path TEXT PRIMARY KEY,
    bytes INTEGER NOT NULL,
    modified_ms REAL NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('nifti', 'image', 'dicom', 'other')),
    owner TEXT,
    part INTEGER NOT NULL DEFAULT 0,
    examined_as TEXT NOT NULL,
    seen_ms REAL NOT NULL
  );
  CREATE INDEX collection_file_owner ON collection_file (owner, part);
  -- Series whose files have changed and that are still to be put together.
  CREATE TABLE collection_open_series (owner TEXT PRIMARY KEY);
  CREATE TABLE collection_scan (
    id INTEGER PRIMARY KEY,
    owner TEXT NOT NULL,
    part INTEGER NOT NULL,
    stack INTEGER NOT NULL,
    path TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('nifti', 'dicom')),
    series TEXT,
    status TEXT NOT NULL CHECK (status IN ('ok', 'reported', 'refused')),
    code TEXT, reason TEXT, remedy TEXT,
    geometry TEXT,
    header_modality TEXT, noted_modality TEXT,
    body_part TEXT, patient TEXT, examination TEXT,
    files INTEGER NOT NULL, bytes INTEGER NOT NULL,
    warnings TEXT NOT NULL,
    voxels_key TEXT NOT NULL,
    forgotten INTEGER NOT NULL DEFAULT 0,
    UNIQUE (owner, part, stack)
  );
  CREATE INDEX collection_scan_path ON collection_scan (path);
  CREATE INDEX collection_scan_patient ON collection_scan (patient);
  -- What reading the voxels has shown, as long as voxels_key is that of the scan.
  CREATE TABLE collection_check (
    scan INTEGER PRIMARY KEY,
    voxels_key TEXT NOT NULL,
    frames_wanted TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('ok', 'reported', 'refused')),
    code TEXT, reason TEXT, remedy TEXT,
    unused_because TEXT,
    warnings TEXT NOT NULL
  );
  CREATE TABLE collection_volume (
    scan INTEGER NOT NULL,
    frame INTEGER NOT NULL,
    digest TEXT NOT NULL,
    modality TEXT,
    statistics TEXT NOT NULL,
    repaired_voxels INTEGER NOT NULL,
    unused_because TEXT,
    thumbnail BLOB,
    PRIMARY KEY (scan, frame)
  );
  CREATE INDEX collection_volume_digest ON collection_volume (digest);
  -- Salted hashes of patients, paths and digests that never take part again.
  CREATE TABLE collection_forgotten (hash TEXT PRIMARY KEY);
`;

/**
 * Brings the tables of the index to the present version: a new database gets them, an older one is led forward. Version 1
 * kept usable NIfTI files in a table `volumes`; nothing of it is taken over, for all files are read anew.
 */
export function migrateIndex(database: SqliteDatabase): void {
  if (versionOf(database) === VERSION) return;
  inTransaction(database, () => {
    database.exec('CREATE TABLE IF NOT EXISTS collection_schema (version INTEGER NOT NULL, salt_mark TEXT)');
    const row = database.prepare('SELECT version FROM collection_schema').get() as { version: number } | undefined;
    if (row?.version === VERSION) return; // another command was faster
    if (row !== undefined && row.version > VERSION) throw tooNew(row.version);
    database.exec('DROP TABLE IF EXISTS volumes');
    database.exec(TABLES);
    database.exec('DELETE FROM collection_schema');
    database.prepare('INSERT INTO collection_schema (version) VALUES (?)').run(VERSION);
  });
}

function versionOf(database: SqliteDatabase): number | undefined {
  const table = database.prepare(`SELECT name FROM sqlite_master WHERE name = 'collection_schema'`).get();
  if (table === undefined) return undefined;
  return (database.prepare('SELECT version FROM collection_schema').get() as { version: number } | undefined)?.version;
}

function tooNew(version: number): FederationError {
  return new FederationError('STORAGE_FAILED', `the site’s index has version ${version}; this program knows ${VERSION}`, {
    remedy: 'Use the newer program that made it.',
  });
}
