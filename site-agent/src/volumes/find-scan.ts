import { stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';
import { listDicomSeries } from './dicom/list-dicom-series.js';
import { readDicomFacts } from './dicom/read-dicom-facts.js';
import { assembleSeries } from './dicom/assemble-series.js';
import type { SeriesStack } from './dicom/series-stack.js';
import { headerFileOf, isVolumeFileName } from './nifti/nifti-pair.js';
import { readNiftiHeader } from './nifti/nifti-scan.js';
import type { ScanHeader } from './scan-header.js';
import { faultOf, reasonOf, unreadable, unsuitable } from './volume-fault.js';
import type { VolumeSource } from './volume-source.js';

/** A scan that a person named by a path. */
export interface FoundScan {
  readonly header: ScanHeader;
  /** Of its first frame. */
  readonly source: VolumeSource;
  /** What a reader should know although it can be read; one line each. */
  readonly remarks: readonly string[];
}

interface Candidate {
  readonly files: readonly string[];
  readonly index: number;
  readonly stack: SeriesStack;
}

/**
 * The scans at a path, those that can be read: one for a NIfTI file or either file of a pair; for a DICOM file the volume that
 * its series forms with the other files of its folder; for a folder all its DICOM volumes, the one with most files first.
 * Throws VOLUME_UNREADABLE or VOLUME_UNSUITABLE with the reason when none can be read, NOT_FOUND when there is nothing.
 */
export async function findScans(path: string): Promise<readonly [FoundScan, ...FoundScan[]]> {
  const facts = await stat(path).catch((cause: unknown) => {
    throw new FederationError('NOT_FOUND', `there is no ${path}`, { cause, remedy: 'Check the path.' });
  });
  if (facts.isDirectory()) return readable(await volumesIn(path), path);
  const isPaired = (await headerFileOf(path).catch(() => path)) !== path; // some scanners call DICOM files .img
  return isVolumeFileName(path) || isPaired ? [await niftiAt(path)] : scansOfFile(path);
}

async function niftiAt(path: string): Promise<FoundScan> {
  const header = await readNiftiHeader(path);
  return { header, source: { kind: 'nifti', path: await headerFileOf(path), frame: 0 }, remarks: header.remarks };
}

/** A file whose name does not tell. */
async function scansOfFile(path: string): Promise<readonly [FoundScan, ...FoundScan[]]> {
  const facts = await readDicomFacts(path);
  if (facts === undefined) {
    return [await niftiOfAnyName(path)];
  }
  if (facts.planes.length > 1) {
    const { stacks } = assembleSeries([facts]);
    return readable(
      stacks.map((stack, index) => ({ files: [path], index, stack })),
      path,
    );
  }
  const own = resolve(path);
  const around = await volumesIn(dirname(path), false);
  return readable(
    around.filter(({ stack }) => stack.files.some((file) => resolve(file) === own)),
    path,
  );
}

async function niftiOfAnyName(path: string): Promise<FoundScan> {
  try {
    return await niftiAt(path);
  } catch (error) {
    const isForeign = error instanceof FederationError && reasonOf(error) === 'not a NIfTI file';
    throw isForeign ? faultOf(unreadable('neither a NIfTI nor a DICOM file'), path) : error;
  }
}

async function volumesIn(folder: string, recursive = true): Promise<Candidate[]> {
  const { series, damaged } = await listDicomSeries(folder, { recursive });
  const [first] = damaged;
  if (series.length === 0 && first !== undefined) throw first.error;
  return series.flatMap(({ files, assembly }) => assembly.stacks.map((stack, index) => ({ files, index, stack })));
}

function readable(candidates: readonly Candidate[], path: string): readonly [FoundScan, ...FoundScan[]] {
  const [first, ...others] = candidates.flatMap(({ files, index, stack }): FoundScan[] => {
    if (stack.status === 'refused') return [];
    const { header } = stack;
    return [{ header, source: { kind: 'dicom', files, stack: index, frame: 0 }, remarks: header.remarks }];
  });
  if (first !== undefined) return [first, ...others];
  const refused = candidates.find(({ stack }) => stack.status === 'refused')?.stack;
  if (refused?.status === 'refused') throw faultOf(unsuitable(refused.reason, refused.remedy), path);
  throw new FederationError('NOT_FOUND', `${basename(path)}: no DICOM image that forms a volume`, {
    remedy: 'Name a NIfTI file, a DICOM file, or a folder with a DICOM series.',
  });
}
