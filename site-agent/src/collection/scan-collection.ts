import type { Modality } from '../volumes/volume.js';
import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { FederationError, shortDigest } from '@consilium/shared/kernel';
import { NotesReader } from './collection-notes.js';
import { examineVolume } from './examine-volume.js';
import { filesOfVolume, isVolumeFileName } from '../volumes/nifti/nifti-pair.js';
import { faultOf, reasonOf } from '../volumes/volume-fault.js';
import { type FileStamp, type UnusableVolume, type VolumeCounts, VolumeIndex } from './volume-index.js';

export interface ScanOptions {
  readonly folders: readonly string[];
  /** The site's database file; made when it is missing. */
  readonly database: string;
  /** Holds for all folders of this scan; a collection.yaml beside the scans is more specific and wins. */
  readonly modality?: Modality;
  readonly onProgress?: (done: number, total: number, file: string) => void;
}

/** What a scan found; the counts are those of the whole index. */
export interface ScanSummary {
  readonly counts: VolumeCounts;
  /** Files read in this scan, and files that had not changed since the last one. */
  readonly examined: number;
  readonly unchanged: number;
  /** Entries whose file no longer exists. */
  readonly removed: number;
  readonly unusable: readonly UnusableVolume[];
}

/**
 * Looks through folders (with all below) and brings the index up to date. Files of unchanged size and time are not read again.
 * Damaged and unfit files are recorded with a reason, never thrown. FOLDER_MISSING names a folder that is not there.
 */
export async function scanCollection(options: ScanOptions): Promise<ScanSummary> {
  const files = await listFiles(options.folders);
  const index = VolumeIndex.open(options.database);
  try {
    const removed = forgetMissing(index, options.folders, new Set(files));
    const scan = new Scan(index, options.modality);
    for (const [position, file] of files.entries()) {
      options.onProgress?.(position, files.length, file);
      await scan.visit(file);
    }
    options.onProgress?.(files.length, files.length, '');
    return { counts: index.counts(), examined: scan.examined, unchanged: scan.unchanged, removed, unusable: index.unusable() };
  } finally {
    index.close();
  }
}

class Scan {
  examined = 0;
  unchanged = 0;
  private readonly notes = new NotesReader();

  constructor(
    private readonly index: VolumeIndex,
    private readonly hint: Modality | undefined,
  ) {}

  async visit(path: string): Promise<void> {
    const modality = (await this.notes.modalityOf(path)) ?? this.hint;
    let stamp: FileStamp = { bytes: 0, modifiedMs: 0, examinedAs: modality ?? 'by values' };
    try {
      stamp = { ...stamp, ...(await stampOf(path)) };
      if (this.isUnchanged(path, stamp)) this.unchanged++;
      else await this.examine(path, modality, stamp);
    } catch (thrown) {
      const fault = faultOf(thrown, path);
      if (fault.kind !== 'volume') throw fault;
      this.index.upsertUnusable(
        { path, status: 'unusable', code: fault.code, reason: reasonOf(fault), remedy: fault.remedy },
        stamp,
      );
    }
  }

  // A duplicate is looked at again each time: the file it equals may be gone.
  private isUnchanged(path: string, stamp: FileStamp): boolean {
    const known = this.index.find(path);
    return (
      known !== undefined &&
      known.status !== 'duplicate' &&
      known.bytes === stamp.bytes &&
      known.modifiedMs === stamp.modifiedMs &&
      known.examinedAs === stamp.examinedAs
    );
  }

  private async examine(path: string, modality: Modality | undefined, stamp: FileStamp): Promise<void> {
    this.examined++;
    this.index.remove(path);
    const volume = await examineVolume(path, modality);
    const twin = this.index.usableByDigest(volume.digest);
    if (twin === undefined) return this.index.upsert(volume, stamp);
    const reason = `the same bytes as ${twin.path} (${shortDigest(volume.digest)}); kept once`;
    this.index.upsertUnusable({ path, status: 'duplicate', code: 'VOLUME_UNSUITABLE', reason }, stamp);
  }
}

/** Size and time over all files of a volume: an image may change while its header stays. */
async function stampOf(path: string): Promise<{ bytes: number; modifiedMs: number }> {
  const facts = await Promise.all((await filesOfVolume(path)).map((file) => stat(file)));
  return {
    bytes: facts.reduce((sum, { size }) => sum + size, 0),
    modifiedMs: Math.max(...facts.map(({ mtimeMs }) => mtimeMs)),
  };
}

/** All candidate files below the folders, each once, in a fixed order; hidden ones are left out. */
async function listFiles(folders: readonly string[]): Promise<string[]> {
  const files = new Set<string>();
  for (const folder of folders) for (const file of await filesBelow(resolve(folder), true)) files.add(file);
  return [...files].sort();
}

async function filesBelow(folder: string, named: boolean): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await entriesOf(folder, named)) {
    const path = join(folder, entry.name);
    if (entry.name.startsWith('.')) continue;
    if (entry.isDirectory()) found.push(...(await filesBelow(path, false)));
    else if (isVolumeFileName(entry.name)) found.push(path);
  }
  return found;
}

async function entriesOf(folder: string, named: boolean): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (cause) {
    if (!named) return []; // a subfolder that may not be read holds nothing for us
    throw new FederationError('FOLDER_MISSING', `the folder ${folder} cannot be read`, {
      cause,
      remedy: 'Name a folder that exists and that this user may read.',
    });
  }
}

function forgetMissing(index: VolumeIndex, folders: readonly string[], present: ReadonlySet<string>): number {
  const roots = folders.map((folder) => resolve(folder) + sep);
  const missing = index.paths().filter((path) => !present.has(path) && roots.some((root) => path.startsWith(root)));
  for (const path of missing) index.remove(path);
  return missing.length;
}
