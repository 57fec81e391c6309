import type { CaseScan, ScanChoice } from '../cases/case-scan.js';
import type { SegmentationClass } from '../tasks/segmentation-task.js';

export const MASK_FORMATS = ['nifti', 'dicom-seg'] as const;
export type MaskFormat = (typeof MASK_FORMATS)[number];

/** An image whose voxels are to be told apart. */
export interface ImageToSegment {
  /** What people call it: a case, or the mask's place below the output folder. */
  readonly name: string;
  readonly choice: ScanChoice;
  /** What the choice leads to, where that is known already. */
  readonly scan?: CaseScan;
  /**
   * A NIfTI file that is compared with the prediction where given. Which of its values are which class is its own: other data than a
   * model was trained on may count its organs otherwise. As many classes as the model has, in its order.
   */
  readonly label?: { readonly path: string; readonly classes: readonly SegmentationClass[] };
  /** Where the mask goes, in the image's own stored geometry; no mask when left out. */
  readonly maskPath?: string;
  /** NIfTI when left out. DICOM segmentations are made of DICOM series only. */
  readonly maskFormat?: MaskFormat;
  /** Where the probabilities of each class go, as NIfTI in the image's own stored geometry: this, the class's name and ".nii.gz". */
  readonly probabilityStem?: string;
  /** Where a picture of the middle of the structure goes, with the outlines of label and prediction (PNG). */
  readonly overlayPath?: string;
}
