import type { Digest } from '@consilium/shared/kernel';
import type { IntensityStatistics } from '../volumes/intensity-statistics.js';
import type { ScanGeometry } from '../volumes/scan-header.js';
import type { Modality } from '../volumes/volume.js';

/**
 * - ok: reads with the right values;
 * - reported: reads, but a person should know something about it (`reason`);
 * - refused: not read, because it cannot be or because its voxels would be wrong.
 */
export type ScanStatus = 'ok' | 'reported' | 'refused';

/** One scan as the index knows it: a NIfTI file, or a stack of a DICOM series. Never a field of the patient. */
export interface ScanRecord {
  /** The file; for DICOM the folder that holds the series. */
  readonly path: string;
  readonly kind: 'nifti' | 'dicom';
  /** Tells series of one folder apart: a short salted hash; undefined for NIfTI. */
  readonly series: string | undefined;
  readonly status: ScanStatus;
  readonly code: string | undefined;
  readonly reason: string | undefined;
  readonly remedy: string | undefined;
  /** Undefined when the header could not be read. */
  readonly geometry: ScanGeometry | undefined;
  /** Undefined when neither header, notes, hint nor values tell. */
  readonly modality: Modality | undefined;
  readonly bodyPart: string | undefined;
  /** Salted hashes, for splits by patient and for opt-out. */
  readonly patient: string | undefined;
  readonly examination: string | undefined;
  readonly files: number;
  readonly bytes: number;
  /** False until the voxels have been read once. */
  readonly checked: boolean;
  /** Why training leaves it out although it reads; undefined when training uses it. */
  readonly unusedBecause: string | undefined;
  /** One line each, from the de-identification check. */
  readonly privacyWarnings: readonly string[];
  /** One for each frame that has been read. */
  readonly volumes: readonly VolumeRecord[];
}

/** What reading the voxels of one frame has shown. */
export interface VolumeRecord {
  readonly frame: number;
  /** Names these voxels: the digest of the file's bytes; of digest and frame for further frames; of all files for DICOM. */
  readonly digest: Digest;
  readonly statistics: IntensityStatistics;
  readonly repairedVoxels: number;
  /** PNG: the middle sagittal, coronal and axial plane side by side. */
  readonly thumbnail: Uint8Array | undefined;
}
