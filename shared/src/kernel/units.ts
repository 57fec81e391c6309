import { FederationError } from './federation-error.js';

const DURATION_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, min: 60_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const SIZE_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

function parseQuantity(text: string, units: Readonly<Record<string, number>>, example: string): number {
  const match = /^\s*([0-9]*\.?[0-9]+)\s*([A-Za-z]+)\s*$/.exec(text);
  const factor = match?.[2] === undefined ? undefined : units[match[2]];
  if (match === null || factor === undefined) {
    throw new FederationError('ARGUMENT_INVALID', `"${text}" is not a quantity like "${example}"`, {
      remedy: `Use one of the units ${Object.keys(units).join(', ')}.`,
    });
  }
  return Number(match[1]) * factor;
}

/** "90s", "1.5 h" → milliseconds. */
export function parseDurationMs(text: string): number {
  return parseQuantity(text, DURATION_MS, '90s');
}

/** "2GiB", "750 MB" → whole bytes. */
export function parseSizeBytes(text: string): number {
  return Math.round(parseQuantity(text, SIZE_BYTES, '2GiB'));
}

/** 83,000 → "1 min 23 s"; below one second "0.4 s". */
export function formatDuration(durationMs: number): string {
  const seconds = Math.max(0, durationMs) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** 4,775,044 → "4.6 MiB". */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const names = ['KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 'B';
  for (const name of names) {
    if (value < 1024) break;
    value /= 1024;
    unit = name;
  }
  return `${value.toFixed(1)} ${unit}`;
}

/** A share in [0, 1] as "0.4 %". */
export function formatShare(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
