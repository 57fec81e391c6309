/**
 * Where the voxels of one volume lie: enough to read it again. Plain data, so that it can be kept in the index and handed to
 * threads.
 */
export type VolumeSource = NiftiSource | DicomSource;

export interface NiftiSource {
  readonly kind: 'nifti';
  /** .nii, .nii.gz, or the header file of a pair. */
  readonly path: string;
  /** Counted from 0 over all axes beyond the third; 0 for a 3D file. */
  readonly frame: number;
}

export interface DicomSource {
  readonly kind: 'dicom';
  /** All image files of the series, in any order. */
  readonly files: readonly string[];
  /** Which of the volumes that the series falls into (see `assembleSeries`), from 0. */
  readonly stack: number;
  /** Time point, echo or the like, from 0. */
  readonly frame: number;
}
