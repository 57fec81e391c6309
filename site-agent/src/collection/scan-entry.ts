import type { ScanGeometry } from '../volumes/scan-header.js';
import type { Modality } from '../volumes/volume.js';
import type { ScanStatus, VolumeRecord } from './scan-record.js';

/** What could be said against a scan; all undefined when its status is ok. */
export interface Verdict {
  readonly status: ScanStatus;
  readonly code: string | undefined;
  readonly reason: string | undefined;
  readonly remedy: string | undefined;
}

export const FINE: Verdict = { status: 'ok', code: undefined, reason: undefined, remedy: undefined };

/** Which of a 4D scan's frames become volumes. */
export type Frames = 'first' | 'all';

/** What headers, notes and names say of a scan: the outcome of the first pass. */
export interface ScanEntry extends Verdict {
  /** With `part` and `stack` the key of the scan, and with `part` that of its files. */
  readonly owner: string;
  readonly part: number;
  readonly stack: number;
  readonly path: string;
  readonly kind: 'nifti' | 'dicom';
  readonly series: string | undefined;
  readonly geometry: ScanGeometry | undefined;
  readonly headerModality: Modality | undefined;
  /** From notes or the command line. */
  readonly notedModality: Modality | undefined;
  readonly bodyPart: string | undefined;
  readonly patient: string | undefined;
  readonly examination: string | undefined;
  readonly files: number;
  readonly bytes: number;
  readonly warnings: readonly string[];
  /** Names everything that the second pass depends on: when it changes, the voxels are read again. */
  readonly voxelsKey: string;
  readonly forgotten: boolean;
}

/** One frame that has been read. */
export interface CheckedVolume extends VolumeRecord {
  /** Undefined when it cannot be told. */
  readonly modality: Modality | undefined;
  readonly unusedBecause: string | undefined;
}

/** What reading the voxels has shown: the outcome of the second pass. */
export interface ScanCheck extends Verdict {
  readonly unusedBecause: string | undefined;
  readonly warnings: readonly string[];
  readonly volumes: readonly CheckedVolume[];
}

const GRAVITY: readonly ScanStatus[] = ['ok', 'reported', 'refused'];

/** Both passes' verdicts as one: the graver status, with the reasons of both. */
export function joinVerdicts(first: Verdict, second: Verdict | undefined): Verdict {
  if (second === undefined || second.status === 'ok') return first;
  if (first.status === 'ok') return second;
  const graver = GRAVITY.indexOf(second.status) > GRAVITY.indexOf(first.status) ? second : first;
  const reasons = [...new Set([first.reason, second.reason].filter((reason) => reason !== undefined))];
  return { ...graver, reason: reasons.join('; ') };
}
