import { dirname, sep } from 'node:path';
import type { DicomFacts } from '../volumes/dicom/dicom-facts.js';
import type { Modality } from '../volumes/volume.js';
import { NOTHING_NOTED, type NotedScan, NotesReader } from './collection-notes.js';
import type { CollectionIndex } from './collection-index.js';
import { FactsCache } from './facts-cache.js';
import { FileExaminer, type FileFinding } from './examine-file.js';
import type { FileKind, FileRow } from './file-table.js';
import type { FileStamp } from '../volumes/indexed-volume.js';
import { FINE, type ScanEntry, type Verdict } from './scan-entry.js';
import { partsOfSeries } from './series-parts.js';
import type * as SeriesEntries from './series-entries.js';
import type { SiteHashes } from './site-hashes.js';
import { voxelsKeyOf } from './voxels-key.js';
import type { WalkedFile } from './walk-files.js';

const READ_AT_ONCE = 16;

export interface HeaderPassOptions {
  readonly index: CollectionIndex;
  readonly hashes: SiteHashes;
  /** Said on the command line of all scans; notes beside the scans are more specific and win. */
  readonly hint: Modality | undefined;
  /** When this pass began: files that are not seen from then on are gone. */
  readonly startedMs: number;
}

/**
 * The first pass: files are looked at, headers only. Every batch is in the index when `visit` returns, so that a process that
 * ends early has lost little and its next start goes on.
 */
export class HeaderPass {
  /** Files whose header was read, and files that had not changed. */
  examined = 0;
  unchanged = 0;
  private readonly facts = new FactsCache();
  private readonly notes = new NotesReader();
  private readonly examiner: FileExaminer;

  constructor(private readonly options: HeaderPassOptions) {
    this.examiner = new FileExaminer(options.index.files, this.notes, options.hint);
  }

  async visit(files: readonly WalkedFile[]): Promise<void> {
    const findings = await inGroups(files, async (file) => ({ file, finding: await this.examiner.examine(file) }));
    const { index, startedMs } = this.options;
    const unchanged = findings.flatMap(({ finding }) => (finding.kind === 'unchanged' ? finding.paths : []));
    index.change(() => {
      if (unchanged.length > 0) index.files.markSeen(unchanged, startedMs);
      for (const { file, finding } of findings) this.keep(file, finding);
    });
  }

  /** Takes out what is no longer there below the roots; what lies below folders that could not be read is kept. */
  removeGone(roots: readonly string[], unread: readonly string[]): number {
    const { index, startedMs } = this.options;
    const isKept = (path: string): boolean => unread.some((folder) => path === folder || path.startsWith(folder + sep));
    return index.change(() => {
      const gone = roots.flatMap((root) => index.files.unseenBelow(root, startedMs)).filter(({ path }) => !isKept(path));
      for (const file of gone) {
        index.files.remove(file.path);
        this.leave(file);
      }
      return new Set(gone.flatMap(({ path, kind }) => (kind === 'other' ? [] : [path]))).size;
    });
  }

  /** Puts together the series whose files have changed. */
  async assembleSeries(onProgress?: (done: number, total: number) => void): Promise<void> {
    const { index } = this.options;
    const owners = index.listOpenSeries();
    for (const [done, owner] of owners.entries()) {
      onProgress?.(done, owners.length);
      const rows = index.files.of(owner);
      const facts = await this.factsOf(owner, rows);
      const series = await import('./series-entries.js');
      const noted = rows[0] === undefined ? NOTHING_NOTED : await this.notes.describe(rows[0].path);
      index.change(() => this.keepSeries(series, { owner, rows, facts, said: noted }));
    }
    if (owners.length > 0) onProgress?.(owners.length, owners.length);
  }

  private keep(file: WalkedFile, finding: FileFinding): void {
    const { index } = this.options;
    if (finding.kind === 'image') return;
    if (finding.kind === 'unchanged') {
      this.unchanged++;
      return;
    }
    const before = index.files.find(file.path);
    const owner = finding.kind === 'dicom' ? this.ownerOf(finding.facts) : file.path;
    if (before !== undefined && before.owner !== owner) this.leave(before);
    if (finding.kind === 'other') return this.saveFile(file, 'other', undefined, '');
    this.examined++;
    const examinedAs = this.examiner.examinedAs(finding.noted);
    if (finding.kind === 'dicom') {
      this.facts.add(owner, finding.facts);
      index.openSeries(owner);
      return this.saveFile(file, 'dicom', owner, examinedAs);
    }
    const is = finding.kind === 'refused' ? finding.is : 'nifti';
    for (const [position, stamp] of finding.files.entries()) {
      this.saveFile(stamp, position === 0 ? is : 'image', owner, examinedAs);
    }
    index.scans.save(this.entryOf(file.path, finding, is));
  }

  private saveFile({ path, bytes, modifiedMs }: FileStamp, kind: FileKind, owner: string | undefined, examinedAs: string): void {
    const { index, startedMs } = this.options;
    index.files.save({ path, bytes, modifiedMs, kind, owner, part: 0, examinedAs }, startedMs);
  }

  /** What a file belonged to has lost it. */
  private leave({ owner, path, kind }: FileRow): void {
    const { index } = this.options;
    if (owner === undefined || kind === 'image') return;
    if (owner === path) index.scans.removeOf(owner);
    else index.openSeries(owner);
  }

  /** Files that name no series belong together with those of their folder only. */
  private ownerOf({ seriesInstance, path }: DicomFacts): string {
    return this.options.hashes.series(seriesInstance === '' ? `folder ${dirname(path)}` : seriesInstance);
  }

  private entryOf(path: string, finding: FileFinding & { kind: 'nifti' | 'refused' }, kind: 'nifti' | 'dicom'): ScanEntry {
    const { hashes, hint, index } = this.options;
    const { files, noted } = finding;
    const header = finding.kind === 'nifti' ? finding.header : undefined;
    const patientId = noted.patientId ?? noted.bidsPatientId;
    const notedModality = noted.modality ?? hint;
    return {
      ...(finding.kind === 'nifti' ? verdictOn(finding.header.remarks) : finding.verdict),
      ...{ owner: path, part: 0, stack: 0, path, kind, series: undefined },
      geometry: header?.geometry,
      headerModality: header?.modality,
      notedModality,
      bodyPart: header?.bodyPart ?? noted.bodyPart,
      patient: patientId === undefined ? undefined : hashes.patient(patientId),
      examination: noted.examinationId === undefined ? undefined : hashes.examination(noted.examinationId),
      files: files.length,
      bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
      warnings: [],
      voxelsKey: voxelsKeyOf(files, 0, notedModality),
      forgotten: index.optOuts.has(hashes.path(path)),
    };
  }

  private async factsOf(owner: string, rows: readonly FileRow[]): Promise<DicomFacts[]> {
    const known = this.facts.take(owner);
    const { readDicomFacts } = await import('../volumes/dicom/read-dicom-facts.js');
    const all = await inGroups(rows, async ({ path }) => {
      // One that no longer reads has changed since this walk passed it: the next walk tells.
      return known.get(path) ?? (await readDicomFacts(path).catch(() => undefined));
    });
    return all.filter((facts) => facts !== undefined);
  }

  private keepSeries({ entriesOfImages, entryOfOther }: SeriesReading, { owner, rows, facts, said }: OpenSeries): void {
    const { index, hashes, hint } = this.options;
    const noted = { ...said, modality: said.modality ?? hint };
    const images = partsOfSeries(facts.filter(({ pixels }) => pixels !== undefined));
    const others = facts.filter(({ pixels }) => pixels === undefined);
    const parts = others.length === 0 ? images : [...images, others];
    for (const [part, files] of parts.entries()) {
      const own = new Set(files.map(({ path }) => path));
      const partRows = new Map(rows.filter(({ path }) => own.has(path)).map((row) => [row.path, row]));
      for (const path of own) index.files.setPart(path, part);
      const described = { owner, part, facts: files, rows: partRows, noted };
      const entries = files === others ? [entryOfOther(described, hashes)] : entriesOfImages(described, hashes);
      const forgotten = files.some(({ path }) => index.optOuts.has(hashes.path(path)));
      for (const entry of entries) index.scans.save({ ...entry, forgotten });
      index.scans.removeOf(owner, part, entries.length);
    }
    index.scans.removePartsFrom(owner, parts.length);
    index.closeSeries(owner);
  }
}

/** Loaded only when there is a series: most of a second look at a collection would be loading. */
type SeriesReading = typeof SeriesEntries;

interface OpenSeries {
  readonly owner: string;
  readonly rows: readonly FileRow[];
  readonly facts: readonly DicomFacts[];
  readonly said: NotedScan;
}

function verdictOn(remarks: readonly string[]): Verdict {
  return remarks.length === 0 ? FINE : { ...FINE, status: 'reported', reason: remarks.join('; ') };
}

/** The answers in the order of the questions, a bounded number of which are open at a time. */
async function inGroups<T, U>(items: readonly T[], ask: (item: T) => Promise<U>): Promise<U[]> {
  const answers: U[] = [];
  for (let first = 0; first < items.length; first += READ_AT_ONCE) {
    answers.push(...(await Promise.all(items.slice(first, first + READ_AT_ONCE).map(ask))));
  }
  return answers;
}
