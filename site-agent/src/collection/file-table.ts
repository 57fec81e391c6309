import { sep } from 'node:path';
import type { PreparedStatements } from './prepared-statements.js';
import type { FileStamp } from '../volumes/indexed-volume.js';

/** What a file turned out to be: a NIfTI file or header, the image of a pair, DICOM, or nothing of ours. */
export type FileKind = 'nifti' | 'image' | 'dicom' | 'other';

export interface FileRow extends FileStamp {
  readonly kind: FileKind;
  /** The path of a NIfTI file; for DICOM a salted hash of the series; undefined for other files. */
  readonly owner: string | undefined;
  /** Copies of one series in several folders are parts of their own. */
  readonly part: number;
  /** Names everything else that decided its fate, such as notes and hints. */
  readonly examinedAs: string;
}

/** A time that no file was changed at: one with this stamp is read again. */
export const NEVER_MS = -1;

interface Row {
  path: string;
  bytes: number;
  modified_ms: number;
  kind: FileKind;
  owner: string | null;
  part: number;
  examined_as: string;
}

/** From and below of a folder in the order of SQLite's binary comparison: paths p with from ≤ p < below lie in it. */
export function rangeBelow(folder: string): [from: string, below: string] {
  const from = folder.endsWith(sep) ? folder : folder + sep;
  return [from, from.slice(0, -1) + String.fromCharCode(sep.charCodeAt(0) + 1)];
}

/** All files that were ever looked at. */
export class FileTable {
  constructor(private readonly database: PreparedStatements) {}

  find(path: string): FileRow | undefined {
    const row = this.database.prepare('SELECT * FROM collection_file WHERE path = ?').get(path) as Row | undefined;
    return row === undefined ? undefined : fileOf(row);
  }

  /** Of one scan, in the order of their paths; a NIfTI header before its image. */
  of(owner: string, part?: number): FileRow[] {
    const order = `ORDER BY kind = 'image', path`;
    const rows =
      part === undefined
        ? this.database.prepare(`SELECT * FROM collection_file WHERE owner = ? ${order}`).all(owner)
        : this.database.prepare(`SELECT * FROM collection_file WHERE owner = ? AND part = ? ${order}`).all(owner, part);
    return (rows as Row[]).map(fileOf);
  }

  save(file: FileRow, seenMs: number): void {
    const { path, bytes, modifiedMs, kind, owner = null, part, examinedAs } = file;
    this.database
      .prepare('INSERT OR REPLACE INTO collection_file VALUES (?, ?, ?, ?, ?, ?, ?, ?)')
      .run(path, bytes, modifiedMs, kind, owner, part, examinedAs, seenMs);
  }

  markSeen(paths: readonly string[], seenMs: number): void {
    this.database
      .prepare('UPDATE collection_file SET seen_ms = ? WHERE path IN (SELECT value FROM json_each(?))')
      .run(seenMs, JSON.stringify(paths));
  }

  setPart(path: string, part: number): void {
    this.database.prepare('UPDATE collection_file SET part = ? WHERE path = ?').run(part, path);
  }

  /** Whatever their stamps say, the files of this scan are read the next time. */
  doubt(owner: string, part: number): void {
    this.database.prepare('UPDATE collection_file SET modified_ms = ? WHERE owner = ? AND part = ?').run(NEVER_MS, owner, part);
  }

  /** Paths at or below a folder that were not seen since. */
  unseenBelow(folder: string, sinceMs: number): FileRow[] {
    const [from, below] = rangeBelow(folder);
    const rows = this.database
      .prepare('SELECT * FROM collection_file WHERE seen_ms < ? AND (path = ? OR (path >= ? AND path < ?))')
      .all(sinceMs, folder, from, below);
    return (rows as Row[]).map(fileOf);
  }

  remove(path: string): void {
    this.database.prepare('DELETE FROM collection_file WHERE path = ?').run(path);
  }
}

function fileOf(row: Row): FileRow {
  const { path, bytes, modified_ms: modifiedMs, kind, owner, part, examined_as: examinedAs } = row;
  return { path, bytes, modifiedMs, kind, owner: owner ?? undefined, part, examinedAs };
}
