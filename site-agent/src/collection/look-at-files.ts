/** A quick look at folders of scans that changes nothing: for the doctor. Counts only, no names. */
import { access, constants } from 'node:fs/promises';
import { FileExaminer, type FileFinding } from './examine-file.js';
import { NotesReader } from './collection-notes.js';
import type { CollectionIndex, IndexedFolder } from './collection-index.js';
import { walkFiles, type WalkedFile } from './walk-files.js';

export interface SeenFiles {
  /** Files that were looked at, scans or not. */
  readonly files: number;
  readonly nifti: number;
  readonly dicom: number;
  /** DICOM series that those files belong to. */
  readonly series: number;
  /** Scan files that cannot be read, by the code of the reason. */
  readonly unreadable: Readonly<Record<string, number>>;
  /** Scan files that the index does not know as they are now. */
  readonly changed: number;
  /** Folders and files that could not even be listed. */
  readonly closed: number;
  /** False when there is more than was looked at. */
  readonly isWhole: boolean;
}

export interface LookOptions {
  /** Undefined where nothing has been indexed: every scan is new. */
  readonly index: Pick<CollectionIndex, 'files'> | undefined;
  readonly mostFiles: number;
  /** Ends the look; what was seen so far counts. */
  readonly signal: AbortSignal;
}

const NOTHING_KNOWN = { find: () => undefined, of: () => [] };

/** Walks the folders and reads the headers of what the index does not know. Folders that are not there count as closed. */
export async function lookAtFiles(
  folders: readonly Pick<IndexedFolder, 'path' | 'modality'>[],
  options: LookOptions,
): Promise<SeenFiles> {
  const tally = new Tally();
  const known = options.index?.files ?? NOTHING_KNOWN;
  for (const { path, modality } of folders) {
    const examiner = new FileExaminer(known, new NotesReader(), modality);
    for await (const batch of walkFiles([path], () => tally.closed++, { lenient: true })) {
      for (const file of batch) {
        if (tally.files >= options.mostFiles || options.signal.aborted) return tally.result(false);
        tally.add(await examiner.examine(file), known.find(file.path), await mayBeRead(file));
      }
    }
  }
  return tally.result(true);
}

async function mayBeRead({ path, openAs }: WalkedFile): Promise<boolean> {
  return access(openAs ?? path, constants.R_OK).then(
    () => true,
    () => false,
  );
}

class Tally {
  files = 0;
  closed = 0;
  private nifti = 0;
  private dicom = 0;
  private changed = 0;
  private readonly series = new Set<string>();
  private readonly unreadable: Record<string, number> = {};

  add(
    finding: FileFinding,
    known: { readonly kind: string; readonly owner: string | undefined } | undefined,
    isOpen: boolean,
  ): void {
    this.files++;
    if (finding.kind === 'other' || finding.kind === 'image') return;
    const kind = finding.kind === 'unchanged' ? known?.kind : finding.kind === 'refused' ? finding.is : finding.kind;
    if (kind !== 'nifti' && kind !== 'dicom') return;
    if (kind === 'nifti') this.nifti++;
    else this.dicom++;
    if (finding.kind === 'dicom') this.series.add(finding.facts.seriesInstance);
    else if (kind === 'dicom' && known?.owner !== undefined) this.series.add(known.owner);
    if (finding.kind !== 'unchanged') this.changed++;
    if (finding.kind === 'refused') this.refuse(finding.verdict.code ?? 'VOLUME_UNREADABLE');
    else if (!isOpen) this.refuse('VOLUME_UNREADABLE');
  }

  result(isWhole: boolean): SeenFiles {
    const { files, nifti, dicom, changed, closed, series, unreadable } = this;
    return { files, nifti, dicom, series: series.size, unreadable, changed, closed, isWhole };
  }

  private refuse(code: string): void {
    this.unreadable[code] = (this.unreadable[code] ?? 0) + 1;
  }
}
