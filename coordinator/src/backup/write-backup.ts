/** The operator's side of a backup: fetches records and files from the running coordinator into a folder. */
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Digest, digestOfFile, FederationError } from '@consilium/shared/kernel';
import { writeFileWhole } from '@consilium/shared/weights';
import type { OperatorLink } from '../commands/operator-link.js';
import { type BackupBlob, backupBlobPath, type BackupFolder, type BackupHead, type BackupList } from './backup-format.js';
import { damaged, readRecords } from './read-records.js';

/** Times that records are read anew because files went meanwhile; what was fetched is not fetched again. */
const ATTEMPTS = 5;

export interface BackupChoice {
  /** Leaves out the files of updates that are part of a version already: nothing needs them to go on. */
  readonly lean: boolean;
  readonly onProgress: (done: number, files: number) => void;
}

/**
 * Files that are there already are not fetched again, so that the same folder can be brought up to date. The list is written last: a
 * backup that was interrupted leaves the one before it as it was. Throws as the link does, and BACKUP_DAMAGED.
 */
export async function writeBackup(link: OperatorLink, folder: BackupFolder, choice: BackupChoice): Promise<BackupList> {
  await makeFolder(folder.blobs);
  for (let attempt = 1; ; attempt++) {
    try {
      return await writeOnce(link, folder, choice);
    } catch (cause) {
      // Retention has dropped a file that the records of a moment ago still named: those of now do not.
      if (attempt === ATTEMPTS || !(cause instanceof FederationError) || cause.code !== 'WEIGHTS_DROPPED') throw cause;
    }
  }
}

async function writeOnce(link: OperatorLink, folder: BackupFolder, choice: BackupChoice): Promise<BackupList> {
  const { head, blobs, rows, file, digest } = await fetchRecords(link, folder);
  const wanted = blobs.filter(({ use }) => !(choice.lean && use === 'folded-update'));
  let bytes = 0;
  for (const [index, { digest: name }] of wanted.entries()) {
    bytes += await fetchBlob(link, folder, name);
    choice.onProgress(index + 1, wanted.length);
  }
  const list: BackupList = {
    format: head.format,
    takenAtMs: head.takenAtMs,
    softwareVersion: head.softwareVersion,
    records: { file, digest, rows },
    blobs: { files: wanted.length, bytes, leftOut: blobs.length - wanted.length },
  };
  await writeFileWhole(folder.listFile, [Buffer.from(`${JSON.stringify(list, null, 2)}\n`)]);
  await removeOthers(folder, file);
  return list;
}

async function fetchRecords(link: OperatorLink, folder: BackupFolder) {
  const partial = join(folder.path, 'records.partial');
  await pipeline(await link.stream('/api/backup/records'), createWriteStream(partial, { mode: 0o600 }));
  let head: BackupHead | undefined;
  const blobs: BackupBlob[] = [];
  const { rows } = await readRecords(partial, { head: (one) => void (head = one), blob: (one) => void blobs.push(one) });
  if (head === undefined) throw damaged('it has no beginning');
  const file = `records-${new Date(head.takenAtMs).toISOString().replaceAll(/[:.]/g, '-')}.jsonl`;
  const digest = await digestOfFile(partial);
  await rename(partial, join(folder.path, file));
  return { head, blobs, rows, file, digest };
}

/** Returns the size of the file. */
async function fetchBlob(link: OperatorLink, folder: BackupFolder, digest: Digest): Promise<number> {
  const path = backupBlobPath(folder, digest);
  const known = await stat(path).catch(() => undefined);
  if (known !== undefined) return known.size;
  await makeFolder(dirname(path));
  await link.download(`/api/backup/blobs/${digest}`, digest, path);
  return (await stat(path)).size;
}

/** Records of earlier backups into the same folder. */
async function removeOthers({ path }: BackupFolder, kept: string): Promise<void> {
  for (const name of await readdir(path)) {
    if (/^records-.*\.jsonl$/.test(name) && name !== kept) await rm(join(path, name), { force: true });
  }
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw FederationError.from(cause, 'FOLDER_MISSING');
  }
}
