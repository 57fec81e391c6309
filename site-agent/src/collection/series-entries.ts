import { assembleSeries } from '../volumes/dicom/assemble-series.js';
import type { DicomFacts } from '../volumes/dicom/dicom-facts.js';
import type { SeriesStack } from '../volumes/dicom/series-stack.js';
import type { NotedScan } from './collection-notes.js';
import type { FileRow } from './file-table.js';
import { seriesPrivacyWarnings } from './privacy/privacy-warnings.js';
import type { ScanEntry, Verdict } from './scan-entry.js';
import { commonFolder } from './series-parts.js';
import type { SiteHashes } from './site-hashes.js';
import { voxelsKeyOf } from './voxels-key.js';

/** Files of one series that belong together, with what is known besides their headers. */
export interface SeriesPart {
  readonly owner: string;
  readonly part: number;
  readonly facts: readonly DicomFacts[];
  readonly rows: ReadonlyMap<string, FileRow>;
  readonly noted: NotedScan;
}

/** One scan for each volume that the images form or fail to form. */
export function entriesOfImages(part: SeriesPart, hashes: SiteHashes): ScanEntry[] {
  return assembleSeries(part.facts).stacks.map((stack, index) => entryOf(part, hashes, stack, index));
}

/** The scan that stands for a structure set, a report or the like. */
export function entryOfOther(part: SeriesPart, hashes: SiteHashes): ScanEntry {
  const kinds = [...new Set(part.facts.map(({ modality }) => (modality === '' ? 'no modality' : modality)))].sort();
  const reason = `not an image (${kinds.join(', ')})`;
  const files = part.facts.map(({ path }) => path);
  const stack = { status: 'refused', reason, remedy: undefined, modality: undefined, bodyPart: undefined, files } as const;
  return entryOf(part, hashes, stack, 0);
}

function entryOf(part: SeriesPart, hashes: SiteHashes, stack: SeriesStack, index: number): ScanEntry {
  const { owner, facts, rows, noted } = part;
  const wanted = new Set(stack.files);
  const own = facts.filter(({ path }) => wanted.has(path));
  const header = stack.status === 'refused' ? stack : stack.header;
  const patientId = noted.patientId ?? textOf(own[0]?.patientId) ?? noted.bidsPatientId;
  const examinationId = textOf(own[0]?.examinationInstance);
  const patient = patientId === undefined ? undefined : hashes.patient(patientId);
  return {
    ...verdictOf(stack),
    ...{ owner, part: part.part, stack: index, kind: 'dicom', series: owner.slice(0, 16) },
    path: own.length === 1 && own[0]?.pixels === undefined ? (own[0]?.path ?? '') : commonFolder(stack.files),
    geometry: stack.status === 'refused' ? undefined : stack.header.geometry,
    headerModality: header.modality,
    notedModality: noted.modality,
    bodyPart: header.bodyPart ?? noted.bodyPart,
    patient,
    examination: examinationId === undefined ? undefined : hashes.examination(examinationId),
    files: stack.files.length,
    bytes: stack.files.reduce((sum, path) => sum + (rows.get(path)?.bytes ?? 0), 0),
    warnings: seriesPrivacyWarnings(own),
    voxelsKey: voxelsKeyOf([...rows.values()], index, noted.modality),
    forgotten: false,
  };
}

function verdictOf(stack: SeriesStack): Verdict {
  if (stack.status === 'refused') {
    return { status: 'refused', code: 'VOLUME_UNSUITABLE', reason: stack.reason, remedy: stack.remedy };
  }
  return { status: stack.status, code: undefined, reason: stack.reason, remedy: undefined };
}

function textOf(text: string | undefined): string | undefined {
  return text === undefined || text.trim() === '' ? undefined : text;
}
