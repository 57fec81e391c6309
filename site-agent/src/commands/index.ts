import { Command, InvalidArgumentError, Option } from 'commander';
import { FederationError } from '@consilium/shared/kernel';
import { siteFolder } from '../config/site-folder.js';
import { CollectionIndex, type CollectionCounts } from '../collection/collection-index.js';
import { indexCollection, type IndexSummary } from '../collection/index-collection.js';
import type { Frames } from '../collection/scan-entry.js';
import { chooseReportFile } from '../collection/report/report-file.js';
import { MOST_PICTURES } from '../collection/report/report-montage.js';
import type { ScanRecord } from '../collection/scan-record.js';
import type { Modality } from '../volumes/volume.js';
import { endOnInterrupt } from './end-on-interrupt.js';
import { IndexProgress } from './index-progress.js';
import { describeIndexing, lineOf } from './index-text.js';
import { addPacsOptions, asksArchive, type PacsOptions } from './pacs-options.js';

interface IndexOptions extends PacsOptions {
  readonly home: string;
  readonly modality?: Modality;
  readonly frames?: Frames;
  readonly headersOnly?: boolean;
  readonly json?: boolean;
  readonly report?: string | true;
  readonly threads?: number;
}

/** Some series of an archive did not come; all others are indexed. */
const PULL_INCOMPLETE_EXIT_CODE = 5;

/** `site-agent index PATH…`: finds the site's scans and says which can be used. Nothing leaves the site. */
export function indexCommand(): Command {
  const command = new Command('index')
    .description('find scans (NIfTI, DICOM) in folders and check which can be used for training')
    .argument('[path...]', 'folders to look through with everything below them, or files; those of last time when left out')
    .addOption(
      new Option('--modality <modality>', 'what these scans are; decided from header and values when left out').choices([
        'CT',
        'MR',
      ]),
    )
    .option('--headers-only', 'list the scans now; read their voxels another time')
    .addOption(new Option('--frames <frames>', 'volumes that 4D scans become; the first when left out').choices(['first', 'all']))
    .option('--threads <count>', 'scans to read at a time; one a processor when left out', parseCount)
    .option('--json', 'print one line of JSON for each file or series')
    .option('--report [file]', 'print the report, and write it with pictures as an HTML page');
  return addPacsOptions(command)
    .addHelpText(
      'after',
      `
Headers are read first, then the voxels of what is new: once, in parallel. Ctrl-C at any time; the same command goes on.
No name, birth date or other identifying field is kept; patient ids only as salted hashes (see "site-agent forget").
A file collection.yaml beside the scans may say what they are:
  modality: MR            # of all files in the folder
  bodyPart: KNEE
  files: {scan7.nii: CT}  # of single files
  patients: {"a_*": P01}  # whose they are, for splits by patient and for opt-out

Examples:
  site-agent --home my-site index /data/exports
  site-agent --home my-site index /data/archive --headers-only
  site-agent --home my-site index --report my-scans.html
  site-agent --home my-site index --dicomweb https://pacs.example/dicom-web --pacs-body-part HEAD --dry-run`,
    )
    .action(async (paths: string[], _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<IndexOptions>();
      if (options.report !== undefined) chooseReportFile(options.report, options.home);
      if (asksArchive(options)) await indexArchive(paths, options);
      else await indexPaths(paths, options);
    });
}

/** Pulls series from an archive (PACS), then indexes them with the paths named. */
async function indexArchive(paths: readonly string[], options: IndexOptions & { readonly dicomweb: string }): Promise<void> {
  const { pullFromArchive } = await import('./index-pacs.js');
  const site = siteFolder(options.home);
  const pulled = await pullFromArchive(options, site);
  if (pulled === undefined) return;
  if (pulled.failed > 0) process.exitCode = PULL_INCOMPLETE_EXIT_CODE;
  await indexPaths([...paths, site.pulledFolder], options);
}

async function indexPaths(paths: readonly string[], options: IndexOptions): Promise<void> {
  const { home, modality, frames, headersOnly, threads } = options;
  const site = siteFolder(home);
  const startedMs = Date.now();
  const progress = new IndexProgress();
  const stopWatching = endOnInterrupt(progress);
  let summary: IndexSummary;
  try {
    const named = paths.length === 0 ? undefined : paths;
    summary = await indexCollection({ paths: named, site, modality, frames, headersOnly, threads, onProgress: progress.report });
  } finally {
    progress.finish();
    stopWatching();
  }
  const index = CollectionIndex.open(site.databaseFile);
  try {
    const { counts, records } = await present(index, summary, options, Date.now() - startedMs);
    if (counts.usable > 0 || records.mayBeUsable) return;
    throw collectionEmpty(records.count, summary);
  } finally {
    index.close();
  }
}

interface Presented {
  readonly counts: CollectionCounts;
  readonly records: { readonly count: number; readonly mayBeUsable: boolean };
}

async function present(
  index: CollectionIndex,
  summary: IndexSummary,
  options: IndexOptions,
  durationMs: number,
): Promise<Presented> {
  const counts = index.counts();
  const records: ScanRecord[] = [];
  let count = 0;
  let mayBeUsable = false;
  for (const record of index.records({ folders: summary.folders, pictures: options.report !== undefined })) {
    count++;
    mayBeUsable ||= record.status !== 'refused' && !record.checked;
    if (options.json === true) console.log(lineOf(record));
    if (options.json !== true || options.report !== undefined)
      records.push(count > MOST_PICTURES ? withoutPictures(record) : record);
  }
  if (options.report !== undefined) await report(records, options);
  else if (options.json !== true && count + summary.problems.length > 0) {
    console.log(describeIndexing(records, summary, counts, durationMs));
  }
  return { counts, records: { count, mayBeUsable } };
}

/** The page shows no more pictures anyway, and the memory of a hundred thousand is not to be had. */
function withoutPictures(record: ScanRecord): ScanRecord {
  return { ...record, volumes: record.volumes.map((volume) => ({ ...volume, thumbnail: undefined })) };
}

/** Loaded only when it is asked for: a second look at an unchanged collection takes no longer than starting the program. */
async function report(records: readonly ScanRecord[], { report: named = true, json, home }: IndexOptions): Promise<void> {
  const file = chooseReportFile(named, home);
  const { renderReportText } = await import('../collection/report/report-text.js');
  const { renderReportHtml } = await import('../collection/report/report-html.js');
  const { writeReport } = await import('../collection/report/write-report.js');
  await writeReport(file, renderReportHtml(records));
  if (json === true) return;
  console.log(renderReportText(records));
  console.log(`\nWith pictures: ${file}`);
}

function parseCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= 256) return count;
  throw new InvalidArgumentError('a whole number from 1 to 256 is expected.');
}

function collectionEmpty(scans: number, { folders }: IndexSummary): FederationError {
  if (folders.length === 0) {
    return new FederationError('COLLECTION_EMPTY', 'no folder has been indexed yet', {
      remedy: 'Name the folder that holds the scans: site-agent index FOLDER',
    });
  }
  const what = scans === 0 ? 'there is no scan (NIfTI or DICOM)' : `none of ${scans} scans can be used`;
  return new FederationError('COLLECTION_EMPTY', `${what} in the indexed folders`, {
    remedy:
      scans === 0
        ? 'Name a folder that holds scans as NIfTI files or DICOM series.'
        : 'The reasons stand in the list above; correct the files or name another folder.',
  });
}
