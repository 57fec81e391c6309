import { Command, Option } from 'commander';
import { FederationError, formatDuration } from '@consilium/shared/kernel';
import { siteFolder } from '../config/site-folder.js';
import { createProgress, formatTable, type ProgressLine } from '@consilium/shared/terminal';
import { scanCollection, type ScanSummary } from '../collection/scan-collection.js';
import type { Modality } from '../volumes/volume.js';

interface IndexOptions {
  readonly home: string;
  readonly modality?: Modality;
  readonly json?: boolean;
}

/** Reasons shown in the table; the rest is counted. */
const MOST_REASONS = 20;

/** `site-agent index FOLDER…`: finds the site's scans and says which can be used. Nothing leaves the site. */
export function indexCommand(): Command {
  return new Command('index')
    .description('find NIfTI scans in folders and check which can be used for training')
    .argument('<folder...>', 'folders to look through, with everything below them')
    .addOption(
      new Option('--modality <modality>', 'what these scans are; decided from their values when left out').choices(['CT', 'MR']),
    )
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      '\nA file collection.yaml beside the scans may say what they are: "modality: MR", or "files: {NAME: CT}" for single files.',
    )
    .action(async (folders: string[], _options: unknown, command: Command) => {
      await indexFolders(folders, command.optsWithGlobals<IndexOptions>());
    });
}

async function indexFolders(folders: readonly string[], { home, modality, json }: IndexOptions): Promise<void> {
  const startedMs = Date.now();
  let progress: ProgressLine | undefined;
  const summary = await scanCollection({
    folders,
    database: siteFolder(home).databaseFile,
    modality,
    onProgress: (done, total) => {
      progress ??= createProgress({ label: 'Reading scans', total });
      progress.update(done);
    },
  });
  progress?.finish();
  if (json === true) console.log(JSON.stringify(summary, null, 2));
  else if (summary.counts.usable + summary.unusable.length > 0) console.log(describeSummary(summary, Date.now() - startedMs));
  if (summary.counts.usable === 0) throw collectionEmpty(summary);
}

function describeSummary({ counts, unusable, examined, unchanged, removed }: ScanSummary, durationMs: number): string {
  const rows = [
    ['CT', counts.byModality.CT],
    ['MR', counts.byModality.MR],
    ['all usable', counts.usable],
  ] as const;
  const removedPart = removed === 0 ? '' : `, ${removed} no longer there`;
  const parts = [
    formatTable(['Modality', 'Volumes'], rows),
    `${examined} files read, ${unchanged} unchanged${removedPart}, in ${formatDuration(durationMs)}`,
  ];
  if (unusable.length > 0) parts.push(describeUnusable(unusable));
  return parts.join('\n\n');
}

function describeUnusable(unusable: ScanSummary['unusable']): string {
  const shown = unusable.slice(0, MOST_REASONS).map(({ path, reason }) => [path, reason]);
  const remedies = [...new Set(unusable.flatMap(({ remedy }) => (remedy === undefined ? [] : [remedy])))];
  const more = unusable.length > MOST_REASONS ? [`… and ${unusable.length - MOST_REASONS} more; --json lists all`] : [];
  return [
    `Not used (${unusable.length}):`,
    formatTable(['File', 'Reason'], shown),
    ...more,
    ...remedies.map((remedy) => `Advice: ${remedy}`),
  ].join('\n');
}

function collectionEmpty({ unusable }: ScanSummary): FederationError {
  const what =
    unusable.length === 0 ? 'there is no NIfTI file (.nii, .nii.gz, .hdr)' : `none of ${unusable.length} files can be used`;
  return new FederationError('COLLECTION_EMPTY', `${what} in the indexed folders`, {
    remedy:
      unusable.length === 0
        ? 'Name a folder that holds scans as NIfTI; DICOM series must be converted first, for example with dcm2niix.'
        : 'The reasons stand in the list above; correct the files or name another folder.',
  });
}
