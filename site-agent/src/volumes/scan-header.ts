import type { Modality, Triple } from './volume.js';

/** Size and place of the volumes of a scan, known without reading a voxel. */
export interface ScanGeometry {
  /** In RAS+ order. */
  readonly sizeVoxels: Triple;
  readonly spacingMm: Triple;
  /** 4×4, row-major: voxel index in RAS order → millimetres. */
  readonly affine: readonly number[];
  /** Towards where the stored axes grow, such as "LPS". */
  readonly orientation: string;
  /** Volumes of this geometry that the scan holds: time points, echoes, frames; 1 for a plain 3D scan. */
  readonly frames: number;
}

/** What headers alone say of a scan: one NIfTI file, or one stack of a DICOM series. Never a field of the patient. */
export interface ScanHeader {
  readonly geometry: ScanGeometry;
  /** As the header states it; NIfTI states none. */
  readonly modality: Modality | undefined;
  /** DICOM Body Part Examined in capitals, such as "HEAD". */
  readonly bodyPart: string | undefined;
  /** One line each: what a reader should know although the scan can be read. Some make its status "reported". */
  readonly remarks: readonly string[];
}
