import type { CaseScan, ScanChoice } from './case-scan.js';

/** An image whose voxels are to be told apart. */
export interface ImageToSegment {
  /** What people call it: a case, or the mask's place below the output folder. */
  readonly name: string;
  readonly choice: ScanChoice;
  /** What the choice leads to, where that is known already. */
  readonly scan?: CaseScan;
  /** A NIfTI file that is compared with the prediction where given. */
  readonly labelPath?: string;
  /** Where the mask goes, in the image's own stored geometry; no mask when left out. */
  readonly maskPath?: string;
}
