import { type Digest, FederationError } from '@consilium/shared/kernel';
import type { Modality } from '../volumes/volume.js';
import { inTransaction, openSiteDatabase, type SqliteDatabase, storageError } from './database.js';
import { FileTable, rangeBelow } from './file-table.js';
import { migrateIndex } from './index-schema.js';
import type { IndexedVolume } from '../volumes/indexed-volume.js';
import { OptOuts } from './opt-outs.js';
import { PreparedStatements } from './prepared-statements.js';
import { recordOf } from './record-of.js';
import type { Frames } from './scan-entry.js';
import type { ScanRecord } from './scan-record.js';
import { ScanTable } from './scan-table.js';
import { UsableVolumes } from './usable-volumes.js';

/** A folder (or file) that was indexed, with what holds for it until it is indexed otherwise. */
export interface IndexedFolder {
  readonly path: string;
  readonly modality: Modality | undefined;
  readonly frames: Frames;
}

export interface CollectionCounts {
  /** Volumes that training uses. */
  readonly usable: number;
  readonly byModality: Readonly<Record<Modality, number>>;
  readonly scans: number;
  readonly refused: number;
  /** Scans whose voxels have not been read yet. */
  readonly unchecked: number;
}

export interface RecordsOptions {
  readonly folders?: readonly string[];
  readonly pictures?: boolean;
}

/** The site's list of scans in its database (SQLite). Every change is whole or not at all, whenever the process ends. */
export class CollectionIndex {
  readonly files: FileTable;
  readonly scans: ScanTable;
  readonly optOuts: OptOuts;
  private readonly volumes: UsableVolumes;
  private readonly statements: PreparedStatements;

  private constructor(private readonly database: SqliteDatabase) {
    this.statements = new PreparedStatements(database);
    this.files = new FileTable(this.statements);
    this.scans = new ScanTable(this.statements);
    this.optOuts = new OptOuts(this.statements);
    this.volumes = new UsableVolumes(this.statements, this.files);
  }

  /** Opens or makes the index. STORAGE_FAILED when the file is no database or a newer program's. */
  static open(databaseFile: string): CollectionIndex {
    const database = openSiteDatabase(databaseFile);
    try {
      migrateIndex(database);
      return new CollectionIndex(database);
    } catch (thrown) {
      database.close();
      throw storageError(thrown, 'the site database cannot be read', 'Check the folder given by --home and its permissions.');
    }
  }

  close(): void {
    this.database.close();
  }

  /** All changes that are made within are kept together or not at all. DISK_FULL, STORAGE_FAILED. */
  change<T>(make: () => T): T {
    try {
      return inTransaction(this.database, make);
    } catch (thrown) {
      throw storageError(thrown, 'the site’s index cannot be written', 'Check the folder given by --home and its disk.');
    }
  }

  /** Volumes that training uses, each set of voxels once, by digest; only those with all files in the folders when some are named. */
  usable(folders?: readonly string[]): IndexedVolume[] {
    return this.volumes.list(folders);
  }

  countUsable(folders?: readonly string[]): number {
    return this.volumes.count(folders);
  }

  counts(): CollectionCounts {
    const count = (clause: string): number =>
      (this.statements.prepare(`SELECT COUNT(*) AS count FROM collection_scan s ${clause}`).get() as { count: number }).count;
    return {
      usable: this.countUsable(),
      byModality: this.volumes.countByModality(),
      scans: count(''),
      refused: count(`LEFT JOIN collection_check c ON c.scan = s.id WHERE s.status = 'refused' OR c.status = 'refused'`),
      unchecked: count(`LEFT JOIN collection_check c ON c.scan = s.id WHERE s.status <> 'refused' AND c.scan IS NULL`),
    };
  }

  /** How many scans were refused, by the code of the reason. */
  refusedByCode(): Readonly<Record<string, number>> {
    const rows = this.statements
      .prepare(
        `SELECT CASE WHEN s.status = 'refused' THEN s.code ELSE c.code END AS code, COUNT(*) AS count
         FROM collection_scan s LEFT JOIN collection_check c ON c.scan = s.id
         WHERE s.status = 'refused' OR c.status = 'refused' GROUP BY 1 ORDER BY 2 DESC`,
      )
      .all() as { code: string | null; count: number }[];
    return Object.fromEntries(rows.map(({ code, count }) => [code ?? 'VOLUME_UNREADABLE', count]));
  }

  /** Scans by path, one at a time; those with a file at or below one of the folders, or all. Thumbnails unless refused. */
  *records({ folders, pictures = true }: RecordsOptions = {}): Generator<ScanRecord> {
    const equals = this.volumes.firstOfEquals();
    const listed = new Set<number>();
    for (const folder of folders ?? [undefined]) {
      const ids = this.scans.idsBelow(folder).filter((id) => !listed.has(id));
      for (const [id, entry, isChecked] of this.scans.entries(ids)) {
        listed.add(id);
        const optedOut = entry.forgotten || (entry.patient !== undefined && this.optOuts.has(entry.patient));
        yield recordOf(entry, isChecked ? this.scans.check(id, pictures) : undefined, {
          optedOut,
          usedInstead: (digest, frame) => {
            const first = equals.get(digest);
            return first === undefined || (first.id === id && first.frame === frame) ? undefined : first.path;
          },
        });
      }
    }
  }

  /** See `doubtVolumes`. Until they have been read again, all that is known of the scans stays. */
  doubt(digest: Digest): void {
    for (const id of this.scans.idsWithDigest(digest)) {
      const entry = this.scans.entry(id);
      if (entry !== undefined) this.files.doubt(entry.owner, entry.part);
      this.scans.doubtCheck(id);
    }
  }

  folders(): IndexedFolder[] {
    const rows = this.statements.prepare('SELECT * FROM collection_folder ORDER BY path').all() as {
      path: string;
      modality: Modality | null;
      frames: Frames;
    }[];
    return rows.map(({ path, modality, frames }) => ({ path, modality: modality ?? undefined, frames }));
  }

  /** What is said of a folder holds for those below it too, unless they are among these: said before, they are forgotten. */
  saveFolders(folders: readonly IndexedFolder[]): void {
    const remove = this.statements.prepare('DELETE FROM collection_folder WHERE path >= ? AND path < ?');
    const insert = this.statements.prepare('INSERT OR REPLACE INTO collection_folder VALUES (?, ?, ?)');
    for (const { path } of folders) remove.run(...rangeBelow(path));
    for (const { path, modality, frames } of folders) insert.run(path, modality ?? null, frames);
  }

  /** Notes that files of a series have changed. It is put together again, even if the process ends before. */
  openSeries(owner: string): void {
    this.statements.prepare('INSERT OR IGNORE INTO collection_open_series VALUES (?)').run(owner);
  }

  listOpenSeries(): string[] {
    const rows = this.statements.prepare('SELECT owner FROM collection_open_series ORDER BY owner').all() as { owner: string }[];
    return rows.map(({ owner }) => owner);
  }

  closeSeries(owner: string): void {
    this.statements.prepare('DELETE FROM collection_open_series WHERE owner = ?').run(owner);
  }

  /** Hashes of another salt would not recognise patients who opted out. STORAGE_FAILED when the site's salt was replaced. */
  requireSalt(mark: string): void {
    const row = this.statements.prepare('SELECT salt_mark FROM collection_schema').get() as { salt_mark: string | null };
    if (row.salt_mark === mark) return;
    if (row.salt_mark !== null) {
      throw new FederationError('STORAGE_FAILED', 'the site’s salt is not the one that its index was made with', {
        remedy: 'Restore the file "salt" from a backup: without it, patients who opted out are not recognised.',
      });
    }
    inTransaction(this.database, () => this.statements.prepare('UPDATE collection_schema SET salt_mark = ?').run(mark));
  }
}
