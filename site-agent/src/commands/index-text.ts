import { formatBytes, formatDuration } from '@consilium/shared/kernel';
import { formatTable } from '@consilium/shared/terminal';
import { isUsable } from '../collection/record-of.js';
import type { CollectionCounts } from '../collection/collection-index.js';
import type { IndexSummary } from '../collection/index-collection.js';
import { describeCollection, type Finding, nameOf } from '../collection/report/describe-collection.js';
import { visibleText } from '../collection/report/visible-text.js';
import type { ScanRecord } from '../collection/scan-record.js';

/** Names shown for each reason; the rest is counted. */
const MOST_NAMES = 3;
const MOST_PROBLEMS = 10;

/** One scan as `index --json` prints it: always the same fields. Nothing of a patient but salted hashes. */
export function lineOf(record: ScanRecord): string {
  const { volumes, ...known } = record;
  const line = {
    ...known,
    usable: isUsable(record),
    statistics: volumes[0]?.statistics,
    volumes: volumes.map(({ frame, digest, repairedVoxels }) => ({ frame, digest, repairedVoxels })),
  };
  return JSON.stringify(line, (_name, value: unknown) => value ?? null);
}

/** What a person should know after indexing: counts, what is left out and why, what to do about it. Ends without a newline. */
export function describeIndexing(
  records: readonly ScanRecord[],
  summary: IndexSummary,
  counts: CollectionCounts,
  durationMs: number,
): string {
  const description = describeCollection(records);
  const { root } = description;
  const parts = [
    ...(records.length === 0 ? [] : [tableOf(description)]),
    whatWasDone(summary, description.files, description.bytes, durationMs),
    ...findingsBlock('Refused', description.refused, root),
    ...findingsBlock('Readable, but left out of training', description.unused, root),
    ...findingsBlock('Readable, with a remark', description.reported, root),
    ...findingsBlock('Privacy: look at these', description.privacy, root),
    ...problemsBlock(summary.problems),
    ...closing(description.unchecked, counts),
  ];
  return parts.join('\n\n');
}

function tableOf({ kinds, byStatus, usable }: ReturnType<typeof describeCollection>): string {
  const rows = kinds.map(({ modality, region, scans, usable: used }): (string | number)[] => [
    modality,
    visibleText(region),
    scans,
    used,
  ]);
  const readable = byStatus.ok + byStatus.reported;
  const all = [
    ...rows,
    ['all readable', '', readable, usable],
    ...(byStatus.refused === 0 ? [] : [['refused', '', byStatus.refused, 0]]),
  ];
  return formatTable(['Modality', 'Region', 'Scans', 'Usable'], all);
}

function whatWasDone(summary: IndexSummary, scanFiles: number, bytes: number, durationMs: number): string {
  const { files, examined, unchanged, removed, checked, changed } = summary;
  const parts = [
    `${files} files seen, ${scanFiles} of scans (${formatBytes(bytes)})`,
    `${examined} headers and the voxels of ${checked} scans read, ${unchanged} files unchanged`,
    ...(removed === 0 ? [] : [`${removed} files no longer there`]),
    ...(changed === 0 ? [] : [`${changed} scans changed or vanished meanwhile: index again`]),
  ];
  return `${parts.join('; ')}; in ${formatDuration(durationMs)}`;
}

function findingsBlock(title: string, findings: readonly Finding[], root: string): string[] {
  if (findings.length === 0) return [];
  const scans = new Set(findings.flatMap((finding) => finding.scans)).size;
  const lines = findings.flatMap(({ scans: found, reason, remedy }) => {
    const names = found.slice(0, MOST_NAMES).map((record) => visibleText(nameOf(record, root)));
    const more = found.length > MOST_NAMES ? ` and ${found.length - MOST_NAMES} more` : '';
    const advice = remedy === undefined ? [] : [`      Advice: ${remedy}`];
    return [`  ${found.length} × ${visibleText(reason)}`, `      ${names.join(', ')}${more}`, ...advice];
  });
  return [[`${title} (${scans}):`, ...lines].join('\n')];
}

function problemsBlock(problems: IndexSummary['problems']): string[] {
  if (problems.length === 0) return [];
  const shown = problems.slice(0, MOST_PROBLEMS).map(({ path, reason }) => `  ${visibleText(path)}: ${reason}`);
  const more = problems.length > MOST_PROBLEMS ? [`  … and ${problems.length - MOST_PROBLEMS} more`] : [];
  return [[`Could not be looked at (${problems.length}):`, ...shown, ...more].join('\n')];
}

function closing(unchecked: number, counts: CollectionCounts): string[] {
  const lines = [
    ...(unchecked === 0
      ? []
      : [`The voxels of ${unchecked} scans are still to be read: site-agent index (without --headers-only) goes on.`]),
    `Training uses ${counts.usable} volumes of this site (CT ${counts.byModality.CT}, MR ${counts.byModality.MR}). ` +
      'More: --report for pictures and histograms, --json for every scan.',
  ];
  return [lines.join('\n')];
}
