import { describeError, FederationError, formatBytes } from '@consilium/shared/kernel';
import { createProgress } from '@consilium/shared/terminal';
import { CollectionIndex } from '../collection/collection-index.js';
import { ArchiveLink } from '../collection/pacs/archive-link.js';
import { POLITE_ATTEMPTS } from '../collection/pacs/few-attempts.js';
import { pullArchive } from '../collection/pacs/pull-archive.js';
import { isComplete, type PullContext } from '../collection/pacs/pull-series.js';
import { PulledFolder } from '../collection/pacs/pulled-folder.js';
import { searchSeries, type SearchResult } from '../collection/pacs/search-series.js';
import type { SeriesFilter } from '../collection/pacs/series-filter.js';
import { SiteHashes } from '../collection/site-hashes.js';
import { archiveAuthorization } from '../config/archive-credentials.js';
import type { SiteFolder } from '../config/site-folder.js';
import { endOnInterrupt } from './end-on-interrupt.js';
import { describePull, describeSearch, type SearchCounts } from './index-pacs-text.js';
import { filterOf, type PacsOptions } from './pacs-options.js';

const SPACE_CHECK_MS = 5000;

export type PacsOrder = PacsOptions & { readonly dicomweb: string; readonly json?: boolean };

/**
 * Pulls the series of an archive that the options name into the site's folder, and says what came. Returns how many failed;
 * undefined after a dry run, when nothing was pulled and nothing is to be indexed.
 */
export async function pullFromArchive(options: PacsOrder, site: SiteFolder): Promise<{ readonly failed: number } | undefined> {
  const link = new ArchiveLink({ url: options.dicomweb, authorization: authorizationOf(options) });
  const filter = filterOf(options);
  const index = CollectionIndex.open(site.databaseFile);
  try {
    const hashes = SiteHashes.open(site.saltFile);
    index.requireSalt(hashes.mark());
    const folder = new PulledFolder(site.pulledFolder);
    await folder.open();
    await folder.sweep();
    const isOptedOut = (patient: string): boolean => index.optOuts.has(patient);
    const context = { link, folder, hashes, isOptedOut, attempts: POLITE_ATTEMPTS };
    const found = await search(link, filter);
    if (options.dryRun === true) {
      const counts = await countSearch(found, context);
      console.log(options.json === true ? JSON.stringify(counts) : describeSearch(counts));
      return undefined;
    }
    if (found.wanted.length === 0 && (await folder.list()).length === 0) throw nothingFound(found);
    return await pull(found, context, options);
  } finally {
    index.close();
  }
}

async function search(link: ArchiveLink, filter: SeriesFilter): Promise<SearchResult> {
  const progress = createProgress({ label: 'Asking the archive for series' });
  const stopWatching = endOnInterrupt(progress);
  try {
    return await searchSeries(link, filter, (seen) => progress.update(seen));
  } finally {
    stopWatching();
    progress.finish();
  }
}

async function pull(found: SearchResult, context: PullContext, options: PacsOrder): Promise<{ failed: number }> {
  const startedMs = Date.now();
  const progress = createProgress({ label: 'Pulling series', total: found.wanted.length });
  const stopWatching = endOnInterrupt(progress);
  const came = { series: 0, instances: 0, bytes: 0 };
  const draw = (note?: string): void => {
    const rate = came.bytes / Math.max(1, (Date.now() - startedMs) / 1000);
    progress.update(came.series, note ?? `${came.instances} images, ${formatBytes(came.bytes)}, ${formatBytes(rate)}/s`);
  };
  try {
    const summary = await pullArchive(found.wanted, {
      ...context,
      attempts: { ...POLITE_ATTEMPTS, waitForSpace: (error) => waitForSpace(error, context.folder.root, draw) },
      most: options.pacsLimit,
      onBytes: (bytes) => {
        came.bytes += bytes;
        draw();
      },
      onInstance: () => void came.instances++,
      onSeries: (done) => {
        came.series = done;
        draw();
      },
    });
    progress.finish();
    const text = describePull(summary, found.unstated, Date.now() - startedMs);
    if (options.json === true) console.error(text);
    else console.log(`${text}\n`);
    return { failed: summary.failures.length };
  } finally {
    stopWatching();
    progress.finish();
  }
}

function nothingFound({ unstated }: SearchResult): FederationError {
  const unsaid = unstated === 0 ? '' : `; ${unstated} do not state modality, body part or date`;
  return new FederationError('COLLECTION_EMPTY', `the archive has no series that is asked for${unsaid}`, {
    remedy: 'Ask with fewer filters; --dry-run counts without pulling.',
  });
}

async function countSearch({ wanted, unstated }: SearchResult, context: PullContext): Promise<SearchCounts> {
  const { folder, hashes, isOptedOut } = context;
  const byModality: Record<string, number> = {};
  const counts = { series: wanted.length, instances: 0, alreadyHere: 0, optedOut: 0 };
  for (const found of wanted) {
    const modality = found.modality?.toUpperCase() ?? '?';
    byModality[modality] = (byModality[modality] ?? 0) + 1;
    counts.instances += found.instances ?? 0;
    const series = hashes.series(found.series);
    if (found.patientId !== undefined && isOptedOut(hashes.patient(found.patientId))) counts.optedOut++;
    else if (await isComplete(folder, series, await folder.state(series), found.instances)) counts.alreadyHere++;
  }
  return { ...counts, byModality, unstated, instancesKnown: wanted.every(({ instances }) => instances !== undefined) };
}

function authorizationOf(options: PacsOrder): string | undefined {
  const { dicomweb, dicomwebUser: user, dicomwebPasswordFile: passwordFile, dicomwebTokenFile: tokenFile } = options;
  const authorization = archiveAuthorization({ user, passwordFile, tokenFile });
  const { protocol, hostname } = new URL(dicomweb);
  const isLocal = hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');
  if (protocol === 'http:' && !isLocal) {
    const what = authorization === undefined ? 'Scans' : 'Credentials and scans';
    console.error(`Note: ${what} travel unencrypted; ask the archive’s keeper for an https address.`);
  }
  return authorization;
}

let toldOfFullDisk = false;

async function waitForSpace(error: FederationError, folder: string, note: (text: string) => void): Promise<void> {
  if (!toldOfFullDisk) console.error(`\n${describeError(error)}\n  Waiting for space for ${folder}; Ctrl-C ends the command.`);
  toldOfFullDisk = true;
  note('waiting for space');
  await new Promise((resolve) => setTimeout(resolve, SPACE_CHECK_MS));
}
