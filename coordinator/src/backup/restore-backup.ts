/** Brings a backup back into an empty home folder and an empty database of either kind. */
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { algorithmOf, digestOfFile, FederationError } from '@consilium/shared/kernel';
import { DataSource, type EntityManager } from 'typeorm';
import type { BlobStore } from '../blobs/blob-store.js';
import { openBlobStore } from '../blobs/open-blob-store.js';
import type { BlobSettings } from '../config/blob-settings.js';
import { type HomeFolder, prepareHomeFolder } from '../home/home-folder.js';
import { lockHome } from '../home/home-lock.js';
import { dataSourceOptions, ENTITIES, MIGRATIONS } from '../records/data-source.js';
import {
  type BackupBlob,
  backupBlobPath,
  type BackupFolder,
  type BackupHead,
  type BackupList,
  backupListSchema,
  type BackupRow,
} from './backup-format.js';
import { damaged, readRecords } from './read-records.js';

export interface RestoreTarget {
  readonly home: HomeFolder;
  /** Address of a PostgreSQL database; SQLite in the home folder when undefined. */
  readonly database: string | undefined;
  readonly blobs: BlobSettings;
  readonly onProgress: (done: number, files: number) => void;
}

/**
 * Every file is checked against its digest while it is copied; the records come last, in one transaction, so that a restore that was
 * interrupted is given again. Throws NOT_FOUND without a backup, BACKUP_DAMAGED, NAME_TAKEN when the place holds records, and
 * COORDINATOR_ALREADY_RUNNING.
 */
export async function restoreBackup(
  folder: BackupFolder,
  { home, database, blobs: where, onProgress }: RestoreTarget,
): Promise<BackupList> {
  const list = readList(folder);
  const records = join(folder.path, list.records.file);
  if ((await digestOfFile(records).catch(() => undefined)) !== list.records.digest)
    throw damaged('the file has changed or is gone');
  let head: BackupHead | undefined;
  const blobs: BackupBlob[] = [];
  await readRecords(records, { head: (one) => void (head = one), blob: (one) => void blobs.push(one) });
  if (head === undefined) throw damaged('it has no beginning');
  const migrations = requireKnown(head);

  prepareHomeFolder(home);
  const unlock = lockHome(home);
  try {
    const place = database ?? home.databaseFile;
    const options = dataSourceOptions(place);
    const target = await new DataSource({ ...options, migrations: [...migrations] }).initialize();
    try {
      await requireEmpty(target, head);
      await restoreInto(where, home, (store) => restoreBlobs(folder, blobs, store, onProgress));
      await target.transaction((manager) => restoreRows(records, manager));
    } finally {
      await target.destroy();
    }
    // Brings the tables up to date.
    await (await new DataSource(options).initialize()).destroy();
    return list;
  } finally {
    unlock();
  }
}

async function restoreInto(where: BlobSettings, home: HomeFolder, restore: (store: BlobStore) => Promise<void>): Promise<void> {
  const { store, close } = await openBlobStore(where, home, () => undefined);
  try {
    await restore(store);
  } finally {
    close();
  }
}

function readList({ listFile, path }: BackupFolder): BackupList {
  if (!existsSync(listFile)) {
    throw new FederationError('NOT_FOUND', `there is no backup in ${path}`, {
      remedy: 'Name a folder that "coordinator backup" has finished: it holds backup.json.',
    });
  }
  try {
    return backupListSchema.parse(JSON.parse(readFileSync(listFile, 'utf8')));
  } catch (cause) {
    throw damaged('backup.json is not whole', cause);
  }
}

/** The migrations up to the backup's; its own names must be the first ones of ours. */
function requireKnown({ migrations, softwareVersion }: BackupHead): readonly (typeof MIGRATIONS)[number][] {
  const known = MIGRATIONS.slice(0, migrations.length);
  if (migrations.every((name, index) => known[index]?.name === name)) return known;
  throw new FederationError(
    'BACKUP_DAMAGED',
    `the backup was made by version ${softwareVersion}, whose tables this program does not know`,
    {
      remedy: 'Restore it with that version or a newer one.',
    },
  );
}

async function requireEmpty(target: DataSource, { migrations }: BackupHead): Promise<void> {
  const done: { name: string }[] = await target.query(`SELECT "name" FROM "migrations" ORDER BY "id"`);
  let rows = 0;
  for (const tableName of await tablesOf(target)) {
    const counted: { count: string | number }[] = await target.query(`SELECT count(*) AS "count" FROM "${tableName}"`);
    rows += Number(counted[0]?.count);
  }
  if (rows === 0 && done.length === migrations.length) return;
  throw new FederationError('NAME_TAKEN', 'the place to restore to holds records already', {
    remedy: 'Name an empty folder with --home, and an empty database.',
  });
}

/** Those that the migrations so far have made: an older backup lacks the youngest ones. */
async function tablesOf(target: DataSource): Promise<string[]> {
  const runner = target.createQueryRunner();
  try {
    const names: string[] = [];
    for (const { tableName } of ENTITIES.map((entity) => target.getMetadata(entity)))
      if (await runner.hasTable(tableName)) names.push(tableName);
    return names;
  } finally {
    await runner.release();
  }
}

async function restoreBlobs(
  folder: BackupFolder,
  blobs: readonly BackupBlob[],
  store: BlobStore,
  onProgress: RestoreTarget['onProgress'],
): Promise<void> {
  for (const [index, { digest, use }] of blobs.entries()) {
    const path = backupBlobPath(folder, digest);
    // A lean backup has left it out.
    if (use === 'folded-update' && !existsSync(path)) continue;
    if (!existsSync(path)) throw damaged('a weight file that the records name is missing');
    if (!(await store.has(digest))) {
      const written = await store.write(createReadStream(path), algorithmOf(digest));
      if (written.digest !== digest) {
        await store.remove(written.digest);
        throw damaged(`the weight file ${digest} has changed`);
      }
    }
    onProgress(index + 1, blobs.length);
  }
}

async function restoreRows(records: string, manager: EntityManager): Promise<void> {
  const tables = new Set(ENTITIES.map((entity) => manager.connection.getMetadata(entity).tableName));
  const isPostgres = manager.connection.options.type === 'postgres';
  const insert = async (table: string, row: BackupRow): Promise<void> => {
    const names = Object.keys(row);
    if (!tables.has(table) || names.some((name) => !/^\w+$/.test(name))) throw damaged('it names a table or column that is none');
    const marks = names.map((_, index) => (isPostgres ? `$${index + 1}` : '?'));
    const columns = names.map((name) => `"${name}"`);
    await manager.query(`INSERT INTO "${table}" (${columns.join(', ')}) VALUES (${marks.join(', ')})`, Object.values(row));
  };
  await readRecords(records, { row: insert });
}
