import type { PreparedStatements } from './prepared-statements.js';
import { rangeBelow } from './file-table.js';
import type { Frames, ScanCheck, ScanEntry } from './scan-entry.js';
import { type CheckRow, columnsOf, entryOf, type ScanRow, verdictOf, type VolumeRow, volumeOf } from './scan-rows.js';

/** A scan whose voxels are to be read. */
export interface PendingScan {
  readonly id: number;
  readonly entry: ScanEntry;
}

/** A scan lies below a folder when any of its files does: a series may be spread over several. */
const LIES_BELOW = `EXISTS (
  SELECT 1 FROM collection_file f WHERE f.owner = s.owner AND f.part = s.part
  AND (f.path = ? OR (f.path >= ? AND f.path < ?)))`;

const READ_AT_ONCE = 256;

/** Scans, what their voxels showed, and their volumes. */
export class ScanTable {
  constructor(private readonly database: PreparedStatements) {}

  /** Takes what the first pass found; the second's findings stay as long as they are about the same voxels. */
  save(entry: ScanEntry): void {
    const columns = columnsOf(entry);
    const names = Object.keys(columns);
    const changes = names
      .filter((name) => !['owner', 'part', 'stack'].includes(name))
      .map((name) => `${name} = excluded.${name}`);
    const { id } = this.database
      .prepare(
        `INSERT INTO collection_scan (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})
         ON CONFLICT (owner, part, stack) DO UPDATE SET ${changes.join(', ')} RETURNING id`,
      )
      .get(...Object.values(columns)) as { id: number };
    const check = this.database.prepare('SELECT voxels_key FROM collection_check WHERE scan = ?').get(id) as
      { voxels_key: string } | undefined;
    if (check !== undefined && check.voxels_key !== entry.voxelsKey) this.dropCheck(id);
  }

  /** Removes the scans of an owner, or those beyond the given number of stacks of one part. */
  removeOf(owner: string, part?: number, fromStack = 0): void {
    const rows =
      part === undefined
        ? this.database.prepare('SELECT id FROM collection_scan WHERE owner = ?').all(owner)
        : this.database
            .prepare('SELECT id FROM collection_scan WHERE owner = ? AND part = ? AND stack >= ?')
            .all(owner, part, fromStack);
    for (const { id } of rows as { id: number }[]) {
      this.dropCheck(id);
      this.database.prepare('DELETE FROM collection_scan WHERE id = ?').run(id);
    }
  }

  /** Removes the parts of a series from the given one on. */
  removePartsFrom(owner: string, part: number): void {
    const rows = this.database
      .prepare('SELECT DISTINCT part FROM collection_scan WHERE owner = ? AND part >= ?')
      .all(owner, part) as { part: number }[];
    for (const row of rows) this.removeOf(owner, row.part);
  }

  dropCheck(id: number): void {
    this.database.prepare('DELETE FROM collection_check WHERE scan = ?').run(id);
    this.database.prepare('DELETE FROM collection_volume WHERE scan = ?').run(id);
  }

  /** The check is dropped as soon as the scan's header has been read again. */
  doubtCheck(id: number): void {
    this.database.prepare(`UPDATE collection_check SET voxels_key = '' WHERE scan = ?`).run(id);
  }

  saveCheck(id: number, voxelsKey: string, framesWanted: Frames, check: ScanCheck): void {
    this.dropCheck(id);
    const { status, code = null, reason = null, remedy = null, unusedBecause = null, warnings } = check;
    this.database
      .prepare('INSERT INTO collection_check VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)')
      .run(id, voxelsKey, framesWanted, status, code, reason, remedy, unusedBecause, JSON.stringify(warnings));
    const insert = this.database.prepare('INSERT INTO collection_volume VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
    for (const volume of check.volumes) {
      const { frame, digest, modality = null, statistics, repairedVoxels, unusedBecause: unused = null, thumbnail } = volume;
      const picture = thumbnail === undefined ? null : Buffer.from(thumbnail);
      insert.run(id, frame, digest, modality, JSON.stringify(statistics), repairedVoxels, unused, picture);
    }
  }

  /** Ids of scans at or below a folder by path; all scans when it is left out. */
  idsBelow(folder: string | undefined): number[] {
    const order = 'ORDER BY s.path, s.part, s.stack, s.id';
    const rows =
      folder === undefined
        ? this.database.prepare(`SELECT s.id FROM collection_scan s ${order}`).all()
        : this.database
            .prepare(`SELECT s.id FROM collection_scan s WHERE ${LIES_BELOW} ${order}`)
            .all(folder, ...rangeBelow(folder));
    return (rows as { id: number }[]).map(({ id }) => id);
  }

  idsOfPatient(hash: string): number[] {
    const rows = this.database.prepare('SELECT id FROM collection_scan WHERE patient = ?').all(hash);
    return (rows as { id: number }[]).map(({ id }) => id);
  }

  idsWithDigest(digest: string): number[] {
    const rows = this.database.prepare('SELECT DISTINCT scan AS id FROM collection_volume WHERE digest = ?').all(digest);
    return (rows as { id: number }[]).map(({ id }) => id);
  }

  /** All files of a scan. */
  pathsOf(id: number): string[] {
    const rows = this.database
      .prepare(
        `SELECT f.path FROM collection_file f JOIN collection_scan s ON f.owner = s.owner AND f.part = s.part WHERE s.id = ?`,
      )
      .all(id);
    return (rows as { path: string }[]).map(({ path }) => path);
  }

  markForgotten(ids: readonly number[]): void {
    for (const id of ids) this.database.prepare('UPDATE collection_scan SET forgotten = 1 WHERE id = ?').run(id);
  }

  countForgotten(): number {
    const rows = this.database
      .prepare(
        `SELECT COUNT(*) AS count FROM collection_scan
         WHERE forgotten = 1 OR patient IN (SELECT hash FROM collection_forgotten)`,
      )
      .get();
    return (rows as { count: number }).count;
  }

  /** Ids of scans at or below a folder whose voxels are still to be read, those with further wanted frames among them. */
  pendingBelow(folder: string, frames: Frames): number[] {
    const rows = this.database
      .prepare(
        `SELECT s.id FROM collection_scan s LEFT JOIN collection_check c ON c.scan = s.id
         WHERE s.status <> 'refused' AND s.forgotten = 0
         AND (s.patient IS NULL OR s.patient NOT IN (SELECT hash FROM collection_forgotten))
         AND (c.scan IS NULL OR (c.frames_wanted <> ? AND s.geometry ->> '$.frames' > 1))
         AND ${LIES_BELOW} ORDER BY s.path, s.part, s.stack`,
      )
      .all(frames, folder, ...rangeBelow(folder));
    return (rows as { id: number }[]).map(({ id }) => id);
  }

  /** Those of the given ids that there are, in their order; the second half says whether their voxels have been read. */
  *entries(ids: readonly number[]): Generator<readonly [id: number, entry: ScanEntry, isChecked: boolean]> {
    const read = this.database.prepare(
      `SELECT s.*, c.scan AS checked FROM json_each(?) wanted JOIN collection_scan s ON s.id = wanted.value
       LEFT JOIN collection_check c ON c.scan = s.id ORDER BY wanted.key`,
    );
    for (let first = 0; first < ids.length; first += READ_AT_ONCE) {
      const rows = read.all(JSON.stringify(ids.slice(first, first + READ_AT_ONCE))) as (ScanRow & { checked: number | null })[];
      for (const row of rows) yield [row.id, entryOf(row), row.checked !== null];
    }
  }

  entry(id: number): ScanEntry | undefined {
    const row = this.database.prepare('SELECT * FROM collection_scan WHERE id = ?').get(id) as ScanRow | undefined;
    return row === undefined ? undefined : entryOf(row);
  }

  /** What the second pass found; undefined before it. */
  check(id: number, pictures = true): ScanCheck | undefined {
    const row = this.database.prepare('SELECT * FROM collection_check WHERE scan = ?').get(id) as CheckRow | undefined;
    if (row === undefined) return undefined;
    const columns = pictures ? '*' : '*, NULL AS thumbnail';
    const volumes = this.database
      .prepare(`SELECT ${columns} FROM collection_volume WHERE scan = ? ORDER BY frame`)
      .all(id) as VolumeRow[];
    return {
      ...verdictOf(row),
      unusedBecause: row.unused_because ?? undefined,
      warnings: JSON.parse(row.warnings) as string[],
      volumes: volumes.map(volumeOf),
    };
  }
}
