import type { Digest } from '@consilium/shared/kernel';
import type { IntensityStatistics } from '../volumes/intensity-statistics.js';
import type { ScanGeometry } from '../volumes/scan-header.js';
import type { Modality } from '../volumes/volume.js';
import { type CheckedVolume, type ScanEntry, type Verdict } from './scan-entry.js';
import type { ScanStatus } from './scan-record.js';

export interface VerdictRow {
  status: ScanStatus;
  code: string | null;
  reason: string | null;
  remedy: string | null;
}

export interface ScanRow extends VerdictRow {
  id: number;
  owner: string;
  part: number;
  stack: number;
  path: string;
  kind: 'nifti' | 'dicom';
  series: string | null;
  geometry: string | null;
  header_modality: Modality | null;
  noted_modality: Modality | null;
  body_part: string | null;
  patient: string | null;
  examination: string | null;
  files: number;
  bytes: number;
  warnings: string;
  voxels_key: string;
  forgotten: number;
}

export interface CheckRow extends VerdictRow {
  unused_because: string | null;
  warnings: string;
}

export interface VolumeRow {
  scan: number;
  frame: number;
  digest: Digest;
  modality: Modality | null;
  statistics: string;
  repaired_voxels: number;
  unused_because: string | null;
  thumbnail: Buffer | null;
}

export function columnsOf(scan: ScanEntry): Record<Exclude<keyof ScanRow, 'id'>, string | number | null> {
  return {
    owner: scan.owner,
    part: scan.part,
    stack: scan.stack,
    path: scan.path,
    kind: scan.kind,
    series: scan.series ?? null,
    status: scan.status,
    code: scan.code ?? null,
    reason: scan.reason ?? null,
    remedy: scan.remedy ?? null,
    geometry: scan.geometry === undefined ? null : JSON.stringify(scan.geometry),
    header_modality: scan.headerModality ?? null,
    noted_modality: scan.notedModality ?? null,
    body_part: scan.bodyPart ?? null,
    patient: scan.patient ?? null,
    examination: scan.examination ?? null,
    files: scan.files,
    bytes: scan.bytes,
    warnings: JSON.stringify(scan.warnings),
    voxels_key: scan.voxelsKey,
    forgotten: Number(scan.forgotten),
  };
}

export function entryOf(row: ScanRow): ScanEntry {
  return {
    ...verdictOf(row),
    owner: row.owner,
    part: row.part,
    stack: row.stack,
    path: row.path,
    kind: row.kind,
    series: row.series ?? undefined,
    geometry: row.geometry === null ? undefined : (JSON.parse(row.geometry) as ScanGeometry),
    headerModality: row.header_modality ?? undefined,
    notedModality: row.noted_modality ?? undefined,
    bodyPart: row.body_part ?? undefined,
    patient: row.patient ?? undefined,
    examination: row.examination ?? undefined,
    files: row.files,
    bytes: row.bytes,
    warnings: JSON.parse(row.warnings) as string[],
    voxelsKey: row.voxels_key,
    forgotten: row.forgotten !== 0,
  };
}

export function verdictOf({ status, code, reason, remedy }: VerdictRow): Verdict {
  return { status, code: code ?? undefined, reason: reason ?? undefined, remedy: remedy ?? undefined };
}

export function volumeOf(row: VolumeRow): CheckedVolume {
  return {
    frame: row.frame,
    digest: row.digest,
    modality: row.modality ?? undefined,
    statistics: JSON.parse(row.statistics) as IntensityStatistics,
    repairedVoxels: row.repaired_voxels,
    unusedBecause: row.unused_because ?? undefined,
    thumbnail: row.thumbnail === null ? undefined : new Uint8Array(row.thumbnail),
  };
}
