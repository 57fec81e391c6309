import { formatBytes } from '@consilium/shared/kernel';
import { formatTable } from '@consilium/shared/terminal';
import type { ScanRecord } from '../scan-record.js';
import {
  type CollectionDescription,
  describeCollection,
  type Finding,
  nameOf,
  PRIVACY_NOTE,
  type ReportOptions,
  RESEARCH_NOTE,
} from './describe-collection.js';
import { type Histogram, histogramsOf } from './histograms.js';

import { visibleText } from './visible-text.js';

const LONGEST_BAR = 30;
const MOST_NAMES = 8;
const BLOCKS = [...' ▁▂▃▄▅▆▇█'];

/** The report for the terminal: what there is, what cannot be used and why, what to look at. Ends without a newline. */
export function renderReportText(records: readonly ScanRecord[], options: ReportOptions = {}): string {
  const description = describeCollection(records, options);
  if (description.scans === 0) return `No scan found.\n\n${RESEARCH_NOTE}`;
  return [
    overview(description),
    kindTable(description),
    ...histogramsOf(records).map(chart),
    ...findingBlock('Cannot be used', description.refused, description.root),
    ...findingBlock('Readable, but training leaves them out', description.unused, description.root),
    ...findingBlock('Readable, with a remark', description.reported, description.root),
    ...findingBlock('Privacy: look at these', description.privacy, description.root, PRIVACY_NOTE),
    RESEARCH_NOTE,
  ].join('\n\n');
}

function overview(description: CollectionDescription): string {
  const { byStatus, scans, volumes, files, bytes, usable, unchecked, patients } = description;
  const lines = [
    `${counted(scans, 'scan')} in ${visibleText(description.root)}: ${counted(volumes, 'volume')}, ${counted(files, 'file')}, ${formatBytes(bytes)}`,
    `${byStatus.ok} ok, ${byStatus.reported} with a remark, ${byStatus.refused} refused; training uses ${usable}`,
  ];
  if (patients > 0) lines.push(`${counted(patients, 'patient')} (told apart by salted hashes)`);
  if (unchecked > 0)
    lines.push(`${counted(unchecked, 'scan')} known by header only: index again without --headers-only to read the voxels`);
  return lines.join('\n');
}

function kindTable({ kinds }: CollectionDescription): string {
  if (kinds.length === 0) return 'None of them can be read.';
  const rows = kinds.map(({ modality, region, scans, usable }) => [modality, visibleText(region), scans, usable]);
  return formatTable(['Modality', 'Region', 'Scans', 'Used in training'], rows);
}

function chart(histogram: Histogram): string {
  return histogram.form === 'bars' ? barTable(histogram) : curve(histogram);
}

/** One line for each bar from the first to the last that is not empty. */
function barTable({ title, counted: what, bars }: Histogram): string {
  const first = bars.findIndex(({ value }) => value > 0);
  const last = bars.findLastIndex(({ value }) => value > 0);
  const highest = Math.max(...bars.map(({ value }) => value));
  const rows = bars
    .slice(first, last + 1)
    .map(({ label, value }) => [label, value, '█'.repeat(Math.ceil((LONGEST_BAR * value) / highest))]);
  return formatTable([title, what, ''], rows, { align: ['right', 'right', 'left'] });
}

/** One line of blocks; their heights grow with the square root, so that little things show beside much air. */
function curve({ title, counted: what, bars, ends }: Histogram): string {
  const highest = Math.max(...bars.map(({ value }) => value));
  const blocks = bars.map(({ value }) => BLOCKS[Math.ceil((BLOCKS.length - 1) * Math.sqrt(Math.max(0, value) / highest))] ?? '');
  return `${title} (${what})\n${ends[0]} ▕${blocks.join('')}▏ ${ends[1]}`;
}

function findingBlock(title: string, findings: readonly Finding[], root: string, note?: string): string[] {
  if (findings.length === 0) return [];
  const scans = new Set(findings.flatMap((finding) => finding.scans)).size;
  const said = new Set<string>();
  const lines = findings.map((finding) => {
    const again = finding.remedy === undefined || said.has(finding.remedy);
    if (finding.remedy !== undefined) said.add(finding.remedy);
    return findingText(finding, again ? undefined : finding.remedy, root);
  });
  return [[`${title} (${counted(scans, 'scan')})`, ...(note === undefined ? [] : [note]), ...lines].join('\n')];
}

/** What helps is said with the first reason that it helps against. */
function findingText({ code, reason, scans }: Finding, remedy: string | undefined, root: string): string {
  const names = scans.slice(0, MOST_NAMES).map((record) => `      ${visibleText(nameOf(record, root))}`);
  const rest = scans.length - names.length;
  return [
    `  ${scans.length} × ${visibleText(reason)}${code === undefined ? '' : ` [${code}]`}`,
    ...(remedy === undefined ? [] : [`      → ${visibleText(remedy)}`]),
    ...names,
    ...(rest > 0 ? [`      … and ${rest} more`] : []),
  ].join('\n');
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
