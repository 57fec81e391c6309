import type { Digest } from '@consilium/shared/kernel';
import type { Modality, Triple } from './volume.js';
import type { VolumeSource } from './volume-source.js';
import type { IntensityStatistics } from './intensity-statistics.js';

/** How a file looked when it was indexed. When any of it differs, the voxels may be others. */
export interface FileStamp {
  readonly path: string;
  readonly bytes: number;
  readonly modifiedMs: number;
}

/** One volume that training uses: enough to read it again and to see that it is still the same. Never a field of the patient. */
export interface IndexedVolume {
  /** Names the voxels: of the file's bytes, of all files of a series, or of such a digest and the frame. */
  readonly digest: Digest;
  readonly source: VolumeSource;
  /** All files that are read for it, in a fixed order: one, header and image of a pair, or the slices of a series. */
  readonly files: readonly FileStamp[];
  readonly modality: Modality;
  /** In RAS+ order. */
  readonly sizeVoxels: Triple;
  readonly spacingMm: Triple;
  readonly bodyPart: string | undefined;
  /** Salted hash: volumes of one patient share it; undefined when no one said whose it is. */
  readonly patient: string | undefined;
  readonly statistics: IntensityStatistics;
  /** Voxels that were not finite and have been repaired on reading. */
  readonly repairedVoxels: number;
}
