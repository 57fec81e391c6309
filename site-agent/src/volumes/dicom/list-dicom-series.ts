import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { FederationError } from '@consilium/shared/kernel';
import { assembleSeries, seriesKey } from './assemble-series.js';
import type { DicomFacts } from './dicom-facts.js';
import { readEachHeader } from './read-facts-of.js';
import type { SeriesAssembly } from './series-stack.js';

/** One series of a folder: its files, and what they form. */
export interface ListedSeries {
  readonly files: readonly string[];
  readonly assembly: SeriesAssembly;
}

/** A DICOM file that cannot be read. */
export interface DamagedFile {
  readonly file: string;
  readonly error: FederationError;
}

export interface ListedFolder {
  /** The one with most files first. */
  readonly series: readonly ListedSeries[];
  readonly damaged: readonly DamagedFile[];
}

/**
 * All DICOM series of a folder and, unless told otherwise, of the folders in it. Meant for a folder that a person names, not
 * for an archive: all headers are held at once.
 */
export async function listDicomSeries(folder: string, { recursive = true } = {}): Promise<ListedFolder> {
  const entries = await readdir(folder, { recursive, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const series = new Map<string, DicomFacts[]>();
  const damaged: DamagedFile[] = [];
  for (const { file, facts, error } of await readEachHeader(files.sort())) {
    if (error !== undefined) damaged.push({ file, error });
    if (facts === undefined) continue;
    const key = seriesKey(facts);
    const same = series.get(key);
    if (same === undefined) series.set(key, [facts]);
    else same.push(facts);
  }
  const listed = [...series.values()].map((facts) => ({ files: facts.map(({ path }) => path), assembly: assembleSeries(facts) }));
  return { series: listed.sort((a, b) => b.files.length - a.files.length), damaged };
}
