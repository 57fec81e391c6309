import type { Modality, Triple } from '../../volumes/volume.js';
import type { CaseList } from '../tasks/case-entry.js';

/** What reading a case showed. */
export interface CaseFacts {
  readonly modality: Modality;
  /** Of the image as it is stored, in RAS order. */
  readonly sizeVoxels: Triple;
  readonly spacingMm: Triple;
  /** As the network sees it: resampled where the task says so. */
  readonly preparedVoxels: Triple;
  /** Of a segmentation: labelled voxels of each class, on the image's own grid. */
  readonly classVoxels?: readonly number[];
  /** Of a segmentation: label values other than 0 that belong to no class; they count as background. */
  readonly otherLabels?: readonly number[];
}

/** One case of a task, and why it cannot be used where it cannot. */
export type CheckedCase = { readonly name: string; readonly list: CaseList } & (
  { readonly facts: CaseFacts } | { readonly problem: string; readonly remedy: string | undefined }
);
