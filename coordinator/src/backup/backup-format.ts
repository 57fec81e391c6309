/**
 * A backup: a folder with the records of one moment as lines of JSON, the files that they name, and a list of both. Records are the
 * tables' own columns, so that they can be read into either kind of database and brought up to date by the migrations.
 */
import { join } from 'node:path';
import { type Digest, algorithmOf, digitsOf } from '@consilium/shared/kernel';
import { digestField } from '@consilium/shared/wire';
import { z } from 'zod';

/** Raised when an older program would misread the folder. */
const FORMAT = 1;

const whole = z.int().min(0);
const rowSchema = z.record(z.string(), z.union([z.string(), z.number(), z.null()]));
export type BackupRow = z.infer<typeof rowSchema>;

/** What the file of a row is for; those of updates that were folded may be left out. */
const blobUses = ['version', 'state', 'delta', 'update', 'folded-update'] as const;

/** The lines of the records, in this order: one head, rows, the files, one end. A file without its end is not whole. */
export const backupLineSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('head'),
    format: z.literal(FORMAT),
    softwareVersion: z.string(),
    /** Names of the migrations that the tables have been through. */
    migrations: z.array(z.string()).min(1),
    takenAtMs: whole,
  }),
  z.object({ kind: z.literal('row'), table: z.string(), row: rowSchema }),
  z.object({ kind: z.literal('blob'), digest: digestField, use: z.enum(blobUses) }),
  z.object({ kind: z.literal('end'), rows: whole, blobs: whole }),
]);
export type BackupLine = z.infer<typeof backupLineSchema>;
export type BackupHead = Extract<BackupLine, { kind: 'head' }>;
export type BackupBlob = Extract<BackupLine, { kind: 'blob' }>;

export function backupHead(head: Omit<BackupHead, 'kind' | 'format'>): BackupHead {
  return { kind: 'head', format: FORMAT, ...head };
}

/** backup.json: the last thing to be written; it names the records that belong to it. */
export const backupListSchema = z.object({
  format: z.literal(FORMAT),
  takenAtMs: whole,
  softwareVersion: z.string(),
  records: z.object({ file: z.string(), digest: digestField, rows: whole }),
  blobs: z.object({ files: whole, bytes: whole, leftOut: whole }),
});
export type BackupList = z.infer<typeof backupListSchema>;

export interface BackupFolder {
  readonly path: string;
  readonly listFile: string;
  readonly blobs: string;
}

export function backupFolder(path: string): BackupFolder {
  return { path, listFile: join(path, 'backup.json'), blobs: join(path, 'blobs') };
}

/** Where the file of a digest lies below a folder of blobs. */
export function backupBlobPath({ blobs }: BackupFolder, digest: Digest): string {
  const digits = digitsOf(digest);
  return join(blobs, algorithmOf(digest), digits.slice(0, 2), digits);
}
