import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Check } from '@consilium/shared/terminal';
import { CollectionIndex, type CollectionCounts } from '../collection/collection-index.js';
import { lookAtFiles, type SeenFiles } from '../collection/look-at-files.js';
import type { SiteFolder } from '../config/site-folder.js';

/** Of a quick look. */
const MOST_FILES = 2_000;
const QUICK_LOOK_MS = 6_000;

export interface DataOptions {
  /** Folders to look at in place of those that are indexed. */
  readonly folders?: readonly string[] | undefined;
  /** Look at every file, however long it takes. */
  readonly all?: boolean | undefined;
}

/** What a look at the scans has shown; numbers and codes alone. */
export interface DataFacts {
  readonly folders: number;
  readonly seen: SeenFiles;
  /** Undefined where nothing has been indexed. */
  readonly index:
    | (Pick<CollectionCounts, 'usable' | 'scans' | 'unchecked'> & { readonly refusedByCode: Readonly<Record<string, number>> })
    | undefined;
}

/** Looks at the folders of scans and at the index of them, and changes neither. */
export async function checkData(site: SiteFolder, options: DataOptions, signal: AbortSignal): Promise<Check[]> {
  const index = existsSync(site.databaseFile) ? CollectionIndex.open(site.databaseFile) : undefined;
  try {
    const folders = options.folders?.map((path) => ({ path: resolve(path), modality: undefined })) ?? index?.folders() ?? [];
    const end = options.all === true ? signal : AbortSignal.any([signal, AbortSignal.timeout(QUICK_LOOK_MS)]);
    const mostFiles = options.all === true ? Infinity : MOST_FILES;
    const seen = await lookAtFiles(folders, { index, mostFiles, signal: end });
    const counts = index && { ...index.counts(), refusedByCode: index.refusedByCode() };
    return judgeData({ folders: folders.length, seen, index: counts?.scans === 0 ? undefined : counts });
  } finally {
    index?.close();
  }
}

/** One line on the files, one on the index. */
export function judgeData(facts: DataFacts): Check[] {
  if (facts.folders === 0) {
    const remedy =
      'Run "site-agent index FOLDER" with the folder that holds the scans; "site-agent doctor --data FOLDER" looks before.';
    return [{ name: 'scans', status: 'warning', finding: 'no folder of scans is indexed yet', remedy }];
  }
  return [judgeFiles(facts), judgeIndex(facts)];
}

function judgeFiles({ folders, seen }: DataFacts): Check {
  const name = 'scans';
  const scans = seen.nifti + seen.dicom;
  const among = seen.isWhole ? `among ${seen.files} files` : `in the first ${seen.files} files`;
  const found = `${seen.nifti} NIfTI files and ${seen.series} DICOM series (${seen.dicom} files) ${among}`;
  if (seen.files === 0 && seen.closed > 0) {
    const remedy = 'Check that the disk or network folder is there, and that the account that runs the agent may read it.';
    return { name, status: 'failed', finding: `none of ${folders} folders can be read`, remedy, code: 'FOLDER_MISSING' };
  }
  if (scans === 0) {
    const remedy = 'Name the folder that holds NIfTI (.nii, .nii.gz, .hdr) or DICOM files.';
    const status = seen.isWhole ? 'failed' : 'warning';
    return { name, status, finding: `no scan ${among}`, remedy, ...(seen.isWhole && { code: 'COLLECTION_EMPTY' as const }) };
  }
  const faults = [
    ...Object.entries(seen.unreadable).map(([code, count]) => `${count} cannot be read (${code})`),
    ...(seen.closed > 0 ? [`${seen.closed} folders or files are closed to this account`] : []),
  ];
  if (faults.length === 0) return { name, status: 'ok', finding: found };
  const remedy =
    'The others are used all the same. "site-agent index --report" names each file with its reason; nothing of that leaves.';
  return { name, status: 'warning', finding: `${found}; ${faults.join('; ')}`, remedy };
}

function judgeIndex({ seen, index }: DataFacts): Check {
  const name = 'index';
  if (index === undefined) {
    const remedy = 'Run "site-agent index" with these folders.';
    return { name, status: 'warning', finding: 'none yet: training does not know of these scans', remedy };
  }
  const refused = Object.entries(index.refusedByCode).map(([code, count]) => `${count} refused (${code})`);
  const finding = [`${index.usable} usable volumes of ${index.scans} scans`, ...refused].join(', ');
  if (index.unchecked > 0) {
    const remedy = 'Run "site-agent index" without --headers-only.';
    return { name, status: 'warning', finding: `${finding}; the voxels of ${index.unchecked} have not been read yet`, remedy };
  }
  if (index.usable === 0) {
    const remedy = 'Run "site-agent index --report": it says of each scan why training cannot use it.';
    return { name, status: 'failed', finding, remedy, code: 'COLLECTION_EMPTY' };
  }
  if (seen.changed === 0)
    return { name, status: 'ok', finding: `${finding}, ${seen.isWhole ? 'up to date' : 'up to date as far as was looked'}` };
  const remedy = 'Run "site-agent index": it reads what is new or changed, and nothing else.';
  return { name, status: 'warning', finding: `${finding}; ${seen.changed} files are new or changed since`, remedy };
}
