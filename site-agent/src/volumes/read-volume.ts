import { readDicomVolume, readDicomVolumes } from './dicom/dicom-volume.js';
import { readNiftiVolume, readNiftiVolumes } from './nifti/nifti-volume.js';
import type { VolumeSource } from './volume-source.js';
import type { Volume } from './volume.js';

/**
 * Reads one volume from wherever it lies, in RAS+ order. Throws VOLUME_UNREADABLE or VOLUME_UNSUITABLE with a one-line
 * reason.
 */
export function readVolume(source: VolumeSource): Promise<Volume> {
  return source.kind === 'nifti' ? readNiftiVolume(source.path, source.frame) : readDicomVolume(source);
}

/** All frames of the scan that a source names, one after the other, in one pass over its files. Errors as above. */
export function readVolumes(source: VolumeSource): AsyncGenerator<Volume> {
  return source.kind === 'nifti' ? readNiftiVolumes(source.path) : readDicomVolumes(source);
}
