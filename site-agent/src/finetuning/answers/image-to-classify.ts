import type { Triple } from '../../volumes/volume.js';
import type { CaseScan, ScanChoice } from '../cases/case-scan.js';

/** An image that is to be put into one of a model's classes. */
export interface ImageToClassify {
  /** What people call it: a case. */
  readonly name: string;
  readonly choice: ScanChoice;
  /** What the choice leads to, where that is known already. */
  readonly scan?: CaseScan | undefined;
  /** The voxel in the middle of the patch, counted from 0 along the file's own axes; needed by a model that reads patches. */
  readonly centre?: Triple | undefined;
}
