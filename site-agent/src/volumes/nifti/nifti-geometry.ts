import type { NiftiHeader } from './nifti-header.js';
import { closestOrientation, type Orientation, rasLayout, reorientAffine, spacingOf } from '../orientation.js';
import type { Triple } from '../volume.js';
import { unsuitable } from '../volume-fault.js';

/** Where the volumes of a file lie once their axes run in RAS+ order. */
export interface RasGeometry {
  readonly orientation: Orientation;
  readonly sizeVoxels: Triple;
  readonly spacingMm: Triple;
  readonly affine: readonly number[];
}

/** Throws VOLUME_UNSUITABLE for an affine that places the voxels nowhere. */
export function rasGeometryOf(header: NiftiHeader): RasGeometry {
  const orientation = closestOrientation(header.affine);
  if (orientation === undefined) throw unsuitable('its orientation matrix is singular');
  const affine = reorientAffine(header.affine, orientation, header.sizeVoxels);
  const spacingMm = spacingOf(affine);
  if (![...affine, ...spacingMm].every(Number.isFinite)) throw unsuitable('its orientation holds numbers beyond all measure');
  return { orientation, sizeVoxels: rasLayout(header.sizeVoxels, orientation).sizeVoxels, spacingMm, affine };
}
