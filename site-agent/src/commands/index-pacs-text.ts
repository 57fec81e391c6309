import { formatBytes, formatDuration } from '@consilium/shared/kernel';
import type { PullFailure, PullSummary } from '../collection/pacs/pull-archive.js';

/** What an archive would give. */
export interface SearchCounts {
  readonly series: number;
  /** As far as the archive counts them. */
  readonly instances: number;
  readonly instancesKnown: boolean;
  readonly byModality: Readonly<Record<string, number>>;
  readonly alreadyHere: number;
  readonly optedOut: number;
  /** Left out, because the archive does not state what they were to be chosen by. */
  readonly unstated: number;
}

const MOST_REASONS = 10;
const MOST_NAMES = 3;

export function describeSearch({ series, instances, instancesKnown, byModality, ...counts }: SearchCounts): string {
  const { alreadyHere, optedOut, unstated } = counts;
  const modalities = Object.entries(byModality).map(([modality, count]) => `${modality} ${count}`);
  const kinds = modalities.length === 0 ? '' : ` (${modalities.join(', ')})`;
  const images = series === 0 ? '' : `, ${instancesKnown ? '' : 'at least '}${instances} images`;
  return [
    `The archive has ${series} series${kinds} that are asked for${images}.`,
    `${alreadyHere} of them are here already; ${series - alreadyHere - optedOut} would be pulled.`,
    ...optedOutLine(optedOut),
    ...unstatedLine(unstated),
  ].join('\n');
}

export function describePull(summary: PullSummary, unstated: number, durationMs: number): string {
  const { pulled, alreadyHere, optedOut, left, instances, bytes, damaged, failures } = summary;
  const rate = formatBytes(bytes / Math.max(0.1, durationMs / 1000));
  const amount = instances === 0 ? '' : ` (${instances} images, ${formatBytes(bytes)}, ${rate}/s)`;
  return [
    `Pulled ${pulled} series${amount} in ${formatDuration(durationMs)}; ${alreadyHere} were here already.`,
    ...(left === 0 ? [] : [`${left} more are in the archive: the same command goes on with them.`]),
    ...optedOutLine(optedOut),
    ...unstatedLine(unstated),
    ...(damaged === 0 ? [] : [`${damaged} images arrive damaged from the archive and are left out.`]),
    ...failureLines(failures),
  ].join('\n');
}

function optedOutLine(optedOut: number): string[] {
  return optedOut === 0 ? [] : [`${optedOut} belong to patients who opted out, and are not pulled.`];
}

function unstatedLine(unstated: number): string[] {
  return unstated === 0 ? [] : [`${unstated} series do not state modality, body part or date, and are left out.`];
}

function failureLines(failures: readonly PullFailure[]): string[] {
  if (failures.length === 0) return [];
  const byReason = new Map<string, string[]>();
  for (const { series, error } of failures) byReason.set(error.message, [...(byReason.get(error.message) ?? []), series]);
  const lines = [...byReason].slice(0, MOST_REASONS).map(([reason, series]) => {
    const more = series.length > MOST_NAMES ? ` and ${series.length - MOST_NAMES} more` : '';
    return `  ${series.length} × ${reason} (series ${series.slice(0, MOST_NAMES).join(', ')}${more})`;
  });
  return [`Could not be pulled (${failures.length}); the same command tries them again:`, ...lines];
}
