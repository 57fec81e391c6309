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
export function readEachHeader(files: readonly string[]): Promise<readonly HeaderReading[]> {
  return mapFiles(files, readHeader);
}

/** What an operation gives for each file, in their order; some files are at work at the same time. */
export async function mapFiles<Result>(
  files: readonly string[],
  operation: (file: string) => Promise<Result>,
): Promise<readonly Result[]> {
  const results = new Array<Result>(files.length);
  let next = 0;
  const workOn = async (): Promise<void> => {
    for (let index = next++; index < files.length; index = next++) {
      results[index] = await operation(files[index] as string);
    }
  };
  await Promise.all(Array.from({ length: Math.min(FILES_AT_ONCE, files.length) }, workOn));
  return results;
}

async function readHeader(file: string): Promise<HeaderReading> {
  try {
    return { file, facts: await readDicomFacts(file) };
  } catch (thrown) {
    if (thrown instanceof FederationError) return { file, error: thrown };
    throw thrown;
  }
}
