import type { Digest } from '@consilium/shared/kernel';
import type { Modality, Triple } from '../../volumes/volume.js';
import type { ElementType } from './chunk-layout.js';

/**
 * A volume ready to draw patches from: RAS+ order, normalised, in chunks in a file. A handle of plain data that threads can be
 * given; `openPrepared` reads its voxels.
 */
export interface PreparedVolume {
  /** Of the volume that was prepared. */
  readonly digest: Digest;
  readonly modality: Modality;
  /** Of the prepared grid, which may be another than the scanner's. */
  readonly sizeVoxels: Triple;
  readonly spacingMm: Triple;
  readonly elementType: ElementType;
  /** Normalised intensities above this are not air. */
  readonly airThreshold: number;
  /** What stands for air beyond the border. */
  readonly airValue: number;
  readonly file: string;
}
