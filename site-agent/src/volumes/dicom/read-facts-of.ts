import { FederationError } from '@consilium/shared/kernel';
import type { DicomFacts } from './dicom-facts.js';
import { readDicomFacts } from './read-dicom-facts.js';

/** Files whose headers are read at the same time: enough to keep a network drive busy, few beside the limit of open files. */
const FILES_AT_ONCE = 16;

/** What reading one header gave: facts, an error, or neither when the file is not DICOM. */
export interface HeaderReading {
  readonly file: string;
  readonly facts?: DicomFacts | undefined;
  readonly error?: FederationError;
}

/** The facts of those files that are DICOM, in the order of the files. VOLUME_UNREADABLE when one is damaged or gone. */
export async function readFactsOf(files: readonly string[]): Promise<readonly DicomFacts[]> {
  const readings = await readEachHeader(files);
  return readings.flatMap(({ facts, error }) => {
    if (error !== undefined) throw error;
    return facts ?? [];
  });
}

/** The headers of files, in their order; a damaged one does not keep the others from being read. */
export async function readEachHeader(files: readonly string[]): Promise<readonly HeaderReading[]> {
  const readings = new Array<HeaderReading>(files.length);
  let next = 0;
  const readOn = async (): Promise<void> => {
    for (let index = next++; index < files.length; index = next++) {
      const file = files[index];
      if (file !== undefined) readings[index] = await readHeader(file);
    }
  };
  await Promise.all(Array.from({ length: Math.min(FILES_AT_ONCE, files.length) }, readOn));
  return readings;
}

async function readHeader(file: string): Promise<HeaderReading> {
  try {
    return { file, facts: await readDicomFacts(file) };
  } catch (thrown) {
    if (thrown instanceof FederationError) return { file, error: thrown };
    throw thrown;
  }
}
