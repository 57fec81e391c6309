import type { FederationError } from '@consilium/shared/kernel';
import { commonFolder, partsOfSeries } from '../../collection/series-parts.js';
import { assembleSeries, seriesKey } from '../../volumes/dicom/assemble-series.js';
import type { DicomFacts } from '../../volumes/dicom/dicom-facts.js';
import { readEachHeader } from '../../volumes/dicom/read-facts-of.js';
import type { SeriesStack } from '../../volumes/dicom/series-stack.js';
import type { CaseScan } from '../cases/case-scan.js';

/** A volume that DICOM files form. */
export interface DicomImage {
  /** Its only file, or the deepest folder that holds all its files. */
  readonly path: string;
  readonly files: readonly string[];
  readonly scan: CaseScan;
}

/** What cannot be segmented, and why. */
export interface RefusedImage {
  readonly path: string;
  readonly files: readonly string[];
  readonly reason: string;
}

export interface DicomFinding {
  readonly images: readonly DicomImage[];
  readonly refused: readonly RefusedImage[];
}

/**
 * The volumes that the DICOM files among these form; files of other kinds are passed over. A copy of a series in another
 * folder is a volume of its own. Holds all headers at once: meant for what a person names, not for an archive.
 */
export async function findDicomImages(files: readonly string[]): Promise<DicomFinding> {
  const series = new Map<string, DicomFacts[]>();
  const damaged: RefusedImage[] = [];
  for (const { file, facts, error } of await readEachHeader(files)) {
    if (error !== undefined) damaged.push({ path: file, files: [file], reason: reasonIn(error) });
    if (facts === undefined) continue;
    const same = series.get(seriesKey(facts));
    if (same === undefined) series.set(seriesKey(facts), [facts]);
    else same.push(facts);
  }
  const found = [...series.values()].flatMap((facts) => partsOfSeries(facts).flatMap(volumesOf));
  return {
    images: found.flatMap((entry) => ('scan' in entry ? [entry] : [])),
    refused: [...damaged, ...found.flatMap((entry) => ('reason' in entry ? [entry] : []))],
  };
}

function volumesOf(facts: readonly DicomFacts[]): (DicomImage | RefusedImage)[] {
  const files = facts.map(({ path }) => path);
  return assembleSeries(facts).stacks.map((stack, index) => volumeOf(stack, { kind: 'dicom', files, stack: index, frame: 0 }));
}

function volumeOf(stack: SeriesStack, source: CaseScan['source']): DicomImage | RefusedImage {
  const { files } = stack;
  const [first] = files;
  const path = files.length === 1 && first !== undefined ? first : commonFolder(files);
  if (stack.status === 'refused') return { path, files, reason: stack.reason };
  const { modality, geometry } = stack.header;
  if (geometry.sizeVoxels.includes(1)) return { path, files, reason: 'a single slice, not a volume' };
  return { path, files, scan: { source, modality, frames: geometry.frames } };
}

function reasonIn(error: FederationError): string {
  const { reason } = error.details;
  return typeof reason === 'string' ? reason : error.message;
}
