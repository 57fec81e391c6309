import type { NiftiHeader } from './nifti-header.js';
import { withNifti } from './nifti-parts.js';
import { rasGeometryOf } from './nifti-geometry.js';
import { orientationName } from '../orientation.js';
import type { ScanHeader } from '../scan-header.js';
import { faultOf } from '../volume-fault.js';

/**
 * What the header of a NIfTI file says, from its first kilobyte; for a pair the image file must be there too. A file whose
 * length cannot hold its voxels is refused here already; damage inside compressed data shows only when the voxels are read.
 * Throws VOLUME_UNREADABLE or VOLUME_UNSUITABLE with a one-line reason.
 */
export async function readNiftiHeader(path: string): Promise<ScanHeader> {
  try {
    return await withNifti(path, ({ header }) => Promise.resolve(scanHeaderOf(header)));
  } catch (thrown) {
    throw faultOf(thrown, path);
  }
}

function scanHeaderOf(header: NiftiHeader): ScanHeader {
  const { orientation, ...place } = rasGeometryOf(header);
  return {
    geometry: { ...place, orientation: orientationName(orientation), frames: header.frames },
    modality: undefined,
    bodyPart: undefined,
    remarks: header.remarks,
  };
}
