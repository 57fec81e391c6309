import type { Modality } from '../volumes/volume.js';
import type { Digest } from '@consilium/shared/kernel';
import { openSiteDatabase, type SqliteDatabase } from './database.js';

/** One usable volume: what training needs to know without opening the file. Never a field of the patient. */
export interface IndexedVolume {
  /** Of the file's bytes; of header and image together for a pair. */
  readonly digest: Digest;
  readonly path: string;
  readonly modality: Modality;
  /** In RAS+ order. */
  readonly sizeVoxels: readonly [number, number, number];
  readonly spacingMm: readonly [number, number, number];
  readonly minimum: number;
  readonly maximum: number;
  /** Percentiles 0.5 and 99.5 of the non-zero voxels. */
  readonly lowPercentile: number;
  readonly highPercentile: number;
  /** Voxels that were not finite and have been repaired on reading. */
  readonly repairedVoxels: number;
}

/** A file that was looked at and cannot be used, or need not be. */
export interface UnusableVolume {
  readonly path: string;
  readonly status: 'unusable' | 'duplicate';
  readonly code: string;
  readonly reason: string;
  readonly remedy?: string;
}

/** How a file looked when it was examined; unchanged means it need not be read again. */
export interface FileStamp {
  readonly bytes: number;
  readonly modifiedMs: number;
  /** Names the options that decided its fate, such as the modality hint. */
  readonly examinedAs: string;
}

export interface VolumeCounts {
  readonly usable: number;
  readonly unusable: number;
  readonly duplicates: number;
  readonly byModality: Readonly<Record<Modality, number>>;
}

const TABLE = `
  CREATE TABLE IF NOT EXISTS volumes (
    path TEXT PRIMARY KEY,
    status TEXT NOT NULL CHECK (status IN ('usable', 'unusable', 'duplicate')),
    bytes INTEGER NOT NULL,
    modified_ms REAL NOT NULL,
    examined_as TEXT NOT NULL,
    digest TEXT,
    modality TEXT CHECK (modality IN ('CT', 'MR')),
    size_x INTEGER, size_y INTEGER, size_z INTEGER,
    spacing_x REAL, spacing_y REAL, spacing_z REAL,
    minimum REAL, maximum REAL, low_percentile REAL, high_percentile REAL,
    repaired_voxels INTEGER,
    code TEXT, reason TEXT, remedy TEXT
  );
  CREATE UNIQUE INDEX IF NOT EXISTS volumes_usable_digest ON volumes (digest) WHERE status = 'usable';
`;

interface Row {
  path: string;
  status: 'usable' | 'unusable' | 'duplicate';
  bytes: number;
  modified_ms: number;
  examined_as: string;
  digest: Digest;
  modality: Modality;
  size_x: number;
  size_y: number;
  size_z: number;
  spacing_x: number;
  spacing_y: number;
  spacing_z: number;
  minimum: number;
  maximum: number;
  low_percentile: number;
  high_percentile: number;
  repaired_voxels: number;
  code: string;
  reason: string;
  remedy: string | null;
}

/** The site's list of scans in its database (SQLite). One row a path; of files with equal bytes one is usable. */
export class VolumeIndex {
  private constructor(private readonly database: SqliteDatabase) {}

  static open(databaseFile: string): VolumeIndex {
    const database = openSiteDatabase(databaseFile);
    database.exec(TABLE);
    return new VolumeIndex(database);
  }

  close(): void {
    this.database.close();
  }

  /** Usable volumes by digest, so that the order does not depend on where they lie. */
  usable(): IndexedVolume[] {
    return this.rows(`WHERE status = 'usable' ORDER BY digest`).map(indexedOf);
  }

  /** Files that were refused, and duplicates, by path. */
  unusable(): UnusableVolume[] {
    return this.rows(`WHERE status <> 'usable' ORDER BY path`).map(unusableOf);
  }

  counts(): VolumeCounts {
    const rows = this.rows('');
    const count = (test: (row: Row) => boolean): number => rows.filter(test).length;
    return {
      usable: count((row) => row.status === 'usable'),
      unusable: count((row) => row.status === 'unusable'),
      duplicates: count((row) => row.status === 'duplicate'),
      byModality: {
        CT: count((row) => row.status === 'usable' && row.modality === 'CT'),
        MR: count((row) => row.status === 'usable' && row.modality === 'MR'),
      },
    };
  }

  /** What is known of a path, or undefined when it has never been examined. */
  find(path: string): (FileStamp & { readonly status: Row['status'] }) | undefined {
    const row = this.database.prepare('SELECT * FROM volumes WHERE path = ?').get(path) as Row | undefined;
    return row === undefined
      ? undefined
      : { status: row.status, bytes: row.bytes, modifiedMs: row.modified_ms, examinedAs: row.examined_as };
  }

  /** The usable volume with these bytes, if any. */
  usableByDigest(digest: Digest): IndexedVolume | undefined {
    const row = this.rows(`WHERE status = 'usable' AND digest = ?`, digest)[0];
    return row === undefined ? undefined : indexedOf(row);
  }

  paths(): string[] {
    return this.rows('ORDER BY path').map((row) => row.path);
  }

  /** Records a usable volume. Its bytes must not be usable under another path already: look with usableByDigest first. */
  upsert(volume: IndexedVolume, stamp: FileStamp): void {
    this.replace(volume.path, {
      ...stampColumns(stamp),
      status: 'usable',
      digest: volume.digest,
      modality: volume.modality,
      size_x: volume.sizeVoxels[0],
      size_y: volume.sizeVoxels[1],
      size_z: volume.sizeVoxels[2],
      spacing_x: volume.spacingMm[0],
      spacing_y: volume.spacingMm[1],
      spacing_z: volume.spacingMm[2],
      minimum: volume.minimum,
      maximum: volume.maximum,
      low_percentile: volume.lowPercentile,
      high_percentile: volume.highPercentile,
      repaired_voxels: volume.repairedVoxels,
    });
  }

  /** Records a file that cannot be used, with its one-line reason. */
  upsertUnusable(volume: UnusableVolume, stamp: FileStamp): void {
    const { status, code, reason, remedy = null } = volume;
    this.replace(volume.path, { ...stampColumns(stamp), status, code, reason, remedy });
  }

  remove(path: string): void {
    this.database.prepare('DELETE FROM volumes WHERE path = ?').run(path);
  }

  private replace(path: string, columns: Partial<Record<keyof Row, string | number | null>>): void {
    const names = ['path', ...Object.keys(columns)];
    const places = names.map(() => '?').join(', ');
    this.database
      .prepare(`INSERT OR REPLACE INTO volumes (${names.join(', ')}) VALUES (${places})`)
      .run(path, ...Object.values(columns));
  }

  private rows(clause: string, ...bindings: string[]): Row[] {
    return this.database.prepare(`SELECT * FROM volumes ${clause}`).all(...bindings) as Row[];
  }
}

function stampColumns({ bytes, modifiedMs, examinedAs }: FileStamp): { bytes: number; modified_ms: number; examined_as: string } {
  return { bytes, modified_ms: modifiedMs, examined_as: examinedAs };
}

function indexedOf(row: Row): IndexedVolume {
  return {
    digest: row.digest,
    path: row.path,
    modality: row.modality,
    sizeVoxels: [row.size_x, row.size_y, row.size_z],
    spacingMm: [row.spacing_x, row.spacing_y, row.spacing_z],
    minimum: row.minimum,
    maximum: row.maximum,
    lowPercentile: row.low_percentile,
    highPercentile: row.high_percentile,
    repairedVoxels: row.repaired_voxels,
  };
}

function unusableOf({ path, status, code, reason, remedy }: Row): UnusableVolume {
  return { path, status: status === 'duplicate' ? 'duplicate' : 'unusable', code, reason, remedy: remedy ?? undefined };
}
