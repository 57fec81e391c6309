import { dirname, isAbsolute, relative, sep } from 'node:path';
import { isUsable } from '../record-of.js';
import type { ScanRecord, ScanStatus } from '../scan-record.js';

export interface ReportOptions {
  /** Paths are shown relative to this folder; by default to the deepest folder that holds all scans. */
  readonly root?: string;
}

/** The same remark on some scans. */
export interface Finding {
  readonly code: string | undefined;
  readonly reason: string;
  readonly remedy: string | undefined;
  readonly scans: readonly ScanRecord[];
}

/** What both forms of the report tell, before it is laid out. */
export interface CollectionDescription {
  readonly root: string;
  readonly scans: number;
  readonly volumes: number;
  readonly files: number;
  readonly bytes: number;
  readonly patients: number;
  readonly byStatus: Readonly<Record<ScanStatus, number>>;
  readonly usable: number;
  /** Listed by their headers only. */
  readonly unchecked: number;
  /** Rows of modality × region: scans that can be read. */
  readonly kinds: readonly KindCount[];
  readonly refused: readonly Finding[];
  readonly unused: readonly Finding[];
  readonly reported: readonly Finding[];
  readonly privacy: readonly Finding[];
}

export interface KindCount {
  readonly modality: string;
  readonly region: string;
  readonly scans: number;
  readonly usable: number;
}

/** For scans that say no remedy of their own. */
const REMEDY_BY_CODE: Readonly<Record<string, string>> = {
  VOLUME_UNREADABLE: 'Copy or export it again from where it came from, if it is a scan; the original may be whole.',
  VOLUME_UNSUITABLE: 'Nothing, if it is no 3D scan; otherwise export the scan itself as a plain 3D image.',
};

export const PRIVACY_NOTE =
  'Hints, no guarantee: silence proves nothing. The index keeps the names of attributes, never what they hold.';
export const RESEARCH_NOTE = 'For research only: not a medical device, never for diagnosis.';

export function describeCollection(records: readonly ScanRecord[], options: ReportOptions = {}): CollectionDescription {
  const count = (matches: (record: ScanRecord) => boolean): number => records.filter(matches).length;
  const sum = (amount: (record: ScanRecord) => number): number => records.reduce((total, record) => total + amount(record), 0);
  const readable = records.filter((record) => record.status !== 'refused');
  return {
    root: options.root ?? commonFolder(records.map((record) => record.path)),
    scans: records.length,
    volumes: sum((record) => (record.status === 'refused' ? 0 : (record.geometry?.frames ?? record.volumes.length))),
    files: sum((record) => record.files),
    bytes: sum((record) => record.bytes),
    patients: new Set(records.flatMap((record) => record.patient ?? [])).size,
    byStatus: {
      ok: count((record) => record.status === 'ok'),
      reported: count((record) => record.status === 'reported'),
      refused: records.length - readable.length,
    },
    usable: count(isUsable),
    unchecked: readable.filter((record) => !record.checked).length,
    kinds: countKinds(readable),
    refused: findingsOf(records, (record) => (record.status === 'refused' ? [record.reason ?? 'no reason given'] : [])),
    unused: findingsOf(readable, (record) => record.unusedBecause ?? []),
    reported: findingsOf(readable, remarksOf),
    privacy: findingsOf(records, (record) => record.privacyWarnings),
  };
}

export function modalityOf(record: ScanRecord): string {
  return record.modality ?? 'unknown';
}

export function regionOf(record: ScanRecord): string {
  return record.bodyPart?.toLowerCase() ?? 'not stated';
}

/** The path from the report's root, with the series' mark when there is one; outside the root the whole path. */
export function nameOf(record: ScanRecord, root: string): string {
  const inside = relative(root, record.path);
  const path =
    inside === '' ? '.' : inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside) ? record.path : inside;
  return record.series === undefined ? path : `${path} · series ${record.series}`;
}

/** "256 × 256 × 22 voxels, 0.86 × 0.86 × 6.5 mm", or a dash. */
export function geometryText({ geometry }: ScanRecord): string {
  if (geometry === undefined) return '–';
  const millimetres = geometry.spacingMm.map((side) => Number(side.toPrecision(3))).join(' × ');
  const frames = geometry.frames > 1 ? `, ${geometry.frames} volumes` : '';
  return `${geometry.sizeVoxels.join(' × ')} voxels, ${millimetres} mm${frames}`;
}

/** Scans by modality and region, in the order of the alphabet. */
export function groupByKind(records: readonly ScanRecord[]): ReadonlyMap<string, readonly ScanRecord[]> {
  const groups = new Map<string, ScanRecord[]>();
  for (const record of records) {
    const kind = `${modalityOf(record)}\n${regionOf(record)}`;
    const group = groups.get(kind);
    if (group === undefined) groups.set(kind, [record]);
    else group.push(record);
  }
  return new Map([...groups].sort(([one], [other]) => (one < other ? -1 : 1)));
}

function countKinds(records: readonly ScanRecord[]): KindCount[] {
  return [...groupByKind(records)].map(([kind, group]) => {
    const [modality = '', region = ''] = kind.split('\n');
    return { modality, region, scans: group.length, usable: group.filter(isUsable).length };
  });
}

/** What is worth knowing of a readable scan, unless it already says why training leaves it out. */
function remarksOf({ status, reason, unusedBecause }: ScanRecord): string[] {
  return status !== 'reported' || (reason !== undefined && reason === unusedBecause) ? [] : [reason ?? 'no reason given'];
}

/** Findings with the same words together, the most frequent first. */
function findingsOf(records: readonly ScanRecord[], reasonsOf: (record: ScanRecord) => string | readonly string[]): Finding[] {
  const findings = new Map<string, Finding & { readonly scans: ScanRecord[] }>();
  for (const record of records) {
    for (const reason of [reasonsOf(record)].flat()) {
      const own = reason === record.reason || (record.reason === undefined && reason === record.unusedBecause);
      const code = own ? record.code : undefined;
      const remedy = own ? (record.remedy ?? REMEDY_BY_CODE[code ?? '']) : undefined;
      const key = JSON.stringify([code, reason, remedy]);
      const finding = findings.get(key) ?? { code, reason, remedy, scans: [] };
      finding.scans.push(record);
      findings.set(key, finding);
    }
  }
  return [...findings.values()].sort((one, other) => other.scans.length - one.scans.length);
}

function commonFolder(paths: readonly string[]): string {
  const [first, ...rest] = paths.map((path) => dirname(path).split(sep));
  if (first === undefined) return sep;
  const shared = first.findIndex((part, index) => rest.some((parts) => parts[index] !== part));
  const folder = (shared === -1 ? first : first.slice(0, shared)).join(sep);
  return folder === '' ? sep : folder;
}
