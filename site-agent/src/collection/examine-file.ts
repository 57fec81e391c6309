import { type FileHandle, open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { digestOfJson, errnoOf } from '@consilium/shared/kernel';
import type { DicomFacts } from '../volumes/dicom/dicom-facts.js';
import { filesOfVolume, headerFileOf, isVolumeFileName } from '../volumes/nifti/nifti-pair.js';
import type { ScanHeader } from '../volumes/scan-header.js';
import { faultOf, reasonOf } from '../volumes/volume-fault.js';
import { NOTHING_NOTED, type NotedScan, type NotesReader } from './collection-notes.js';
import { type FileRow, type FileTable, NEVER_MS } from './file-table.js';
import type { FileStamp } from '../volumes/indexed-volume.js';
import type { Verdict } from './scan-entry.js';
import type { WalkedFile } from './walk-files.js';

/** What one file of the walk turned out to be. */
export type FileFinding =
  /** Read before, and nothing of it has changed since. */
  | { readonly kind: 'unchanged'; readonly paths: readonly string[] }
  /** Belongs to the header of a pair, and is looked at with it. */
  | { readonly kind: 'image' }
  | { readonly kind: 'other' }
  | { readonly kind: 'nifti'; readonly files: readonly FileStamp[]; readonly header: ScanHeader; readonly noted: NotedScan }
  | { readonly kind: 'dicom'; readonly facts: DicomFacts; readonly noted: NotedScan }
  | {
      readonly kind: 'refused';
      readonly is: 'nifti' | 'dicom';
      readonly files: readonly FileStamp[];
      readonly verdict: Verdict;
      readonly noted: NotedScan;
    };

/** A fault of the moment, not of the file: the file is looked at again next time, although its stamp has not changed. */
const PASSING = new Set(['EACCES', 'EPERM', 'ENOENT', 'EIO', 'EMFILE', 'ENFILE', 'EBUSY', 'ESTALE', 'ETIMEDOUT', 'ENOMEM']);
const PREAMBLE_BYTES = 132;

/** Looks at files one by one. Reads headers only, and of unchanged files nothing. */
export class FileExaminer {
  constructor(
    private readonly known: Pick<FileTable, 'find' | 'of'>,
    private readonly notes: NotesReader,
    private readonly hint: string | undefined,
  ) {}

  async examine(file: WalkedFile): Promise<FileFinding> {
    if (file.openAs !== undefined) return this.examineOddName(file, file.openAs);
    const isNifti = isVolumeFileName(basename(file.path));
    const paired = !isNifti && (await headerFileOf(file.path).catch(() => file.path)) !== file.path;
    if (paired) return { kind: 'image' };
    const known = this.known.find(file.path);
    if (known?.kind === 'other' && !isNifti && isSame(known, file)) return { kind: 'unchanged', paths: [file.path] };
    const noted = await this.notes.describe(file.path);
    return isNifti ? this.examineNifti(file, known, noted) : this.examineRest(file, known, noted);
  }

  /** Names everything but the file that decides what becomes of it. */
  examinedAs(noted: NotedScan): string {
    if (this.hint === undefined && Object.values(noted).every((note) => note === undefined)) return '';
    return digestOfJson([this.hint, noted]);
  }

  private async examineNifti(file: WalkedFile, known: FileRow | undefined, noted: NotedScan): Promise<FileFinding> {
    const files = await stampsOf(file);
    if (known?.kind === 'nifti' && known.examinedAs === this.examinedAs(noted)) {
      const rows = files.length === 1 && !isHeaderOfPair(file.path) ? [known] : this.known.of(file.path);
      const same = rows.length === files.length && rows.every((row, position) => isSame(row, files[position]));
      if (same) return { kind: 'unchanged', paths: files.map(({ path }) => path) };
    }
    try {
      const { readNiftiHeader } = await import('../volumes/nifti/nifti-scan.js'); // not needed when nothing is new
      return { kind: 'nifti', files, header: await readNiftiHeader(file.path), noted };
    } catch (thrown) {
      return refusal('nifti', files, thrown, noted);
    }
  }

  private async examineRest(file: WalkedFile, known: FileRow | undefined, noted: NotedScan): Promise<FileFinding> {
    if (known?.kind === 'dicom' && isSame(known, file) && known.examinedAs === this.examinedAs(noted)) {
      return { kind: 'unchanged', paths: [file.path] };
    }
    try {
      const { readDicomFacts } = await import('../volumes/dicom/read-dicom-facts.js');
      const facts = await readDicomFacts(file.path);
      return facts === undefined ? { kind: 'other' } : { kind: 'dicom', facts, noted };
    } catch (thrown) {
      return refusal('dicom', [stampOf(file)], thrown, noted);
    }
  }

  /** Such a file cannot be named to the readers, nor to people: it is told of, and not read. */
  private async examineOddName(file: WalkedFile, openAs: Buffer): Promise<FileFinding> {
    const isNifti = isVolumeFileName(file.path);
    if (!isNifti && !(await startsAsDicom(openAs))) return { kind: 'other' };
    const verdict: Verdict = {
      status: 'refused',
      code: 'VOLUME_UNREADABLE',
      reason: 'its name, or that of its folder, is not valid UTF-8',
      remedy: 'Rename it with plain letters, for example with "convmv" or "mv".',
    };
    return { kind: 'refused', is: isNifti ? 'nifti' : 'dicom', files: [stampOf(file)], verdict, noted: NOTHING_NOTED };
  }
}

function refusal(is: 'nifti' | 'dicom', files: readonly FileStamp[], thrown: unknown, noted: NotedScan): FileFinding {
  const fault = faultOf(thrown, files[0]?.path ?? '');
  if (fault.kind !== 'volume') throw fault;
  const verdict: Verdict = { status: 'refused', code: fault.code, reason: reasonOf(fault), remedy: fault.remedy };
  const stamps = isPassing(fault) ? files.map((file) => ({ ...file, modifiedMs: NEVER_MS })) : files;
  return { kind: 'refused', is, files: stamps, verdict, noted };
}

function isPassing(thrown: unknown): boolean {
  for (let cause = thrown; typeof cause === 'object' && cause !== null; cause = 'cause' in cause ? cause.cause : undefined) {
    if (PASSING.has(errnoOf(cause) ?? '')) return true;
  }
  return false;
}

/** Header and image of a pair, or the file alone; a header without image stands for itself. */
async function stampsOf(file: WalkedFile): Promise<FileStamp[]> {
  if (!isHeaderOfPair(file.path)) return [stampOf(file)];
  const paths = await filesOfVolume(file.path).catch(() => [file.path]);
  const others = await Promise.all(
    paths.slice(1).map(async (path): Promise<FileStamp> => {
      const { size, mtimeMs } = await stat(path).catch(() => ({ size: 0, mtimeMs: NEVER_MS }));
      return { path, bytes: size, modifiedMs: mtimeMs };
    }),
  );
  return [stampOf(file), ...others];
}

function isHeaderOfPair(path: string): boolean {
  return /\.hdr(\.gz)?$/i.test(path);
}

function stampOf({ path, bytes, modifiedMs }: WalkedFile): FileStamp {
  return { path, bytes, modifiedMs };
}

function isSame(known: FileStamp, now: FileStamp | undefined): boolean {
  return known.path === now?.path && known.bytes === now.bytes && known.modifiedMs === now.modifiedMs;
}

async function startsAsDicom(path: Buffer): Promise<boolean> {
  let file: FileHandle | undefined;
  try {
    file = await open(path);
    const start = Buffer.alloc(PREAMBLE_BYTES);
    const { bytesRead } = await file.read(start, 0, PREAMBLE_BYTES, 0);
    return bytesRead === PREAMBLE_BYTES && start.subarray(-4).toString('latin1') === 'DICM';
  } catch {
    return false;
  } finally {
    await file?.close();
  }
}
