import { endianness } from 'node:os';
import type { NiftiHeader } from './nifti-header.js';
import { headerFileOf } from './nifti-pair.js';
import { readStoredVoxels, type StoredVoxels } from './nifti-stream.js';
import { closestOrientation, type Orientation, rasLayout, reorientAffine, spacingOf } from '../orientation.js';
import type { Volume } from '../volume.js';
import { faultOf, unsuitable } from '../volume-fault.js';

/**
 * Reads one 3D volume from .nii, .nii.gz or a .hdr/.img pair (NIfTI-1 and NIfTI-2, both byte orders, all real types),
 * reoriented to RAS+. A two-dimensional file becomes one slice.
 * Throws VOLUME_UNREADABLE or VOLUME_UNSUITABLE with a one-line reason; never takes more memory than the checked header asks.
 */
export async function readNiftiVolume(path: string): Promise<Volume> {
  try {
    return volumeOf(await readStoredVoxels(await headerFileOf(path)));
  } catch (thrown) {
    throw faultOf(thrown, path);
  }
}

function volumeOf({ header, bytes }: StoredVoxels): Volume {
  const orientation = closestOrientation(header.affine);
  if (orientation === undefined) throw unsuitable('its orientation matrix is singular');
  toMachineOrder(bytes, header);
  const voxels = decode(header, bytes, orientation);
  const repairedVoxels = repairNonFinite(voxels);
  const affine = reorientAffine(header.affine, orientation, header.sizeVoxels);
  return {
    sizeVoxels: rasLayout(header.sizeVoxels, orientation).sizeVoxels,
    spacingMm: spacingOf(affine),
    affine,
    voxels,
    repairedVoxels,
    source: { sizeVoxels: header.sizeVoxels, affine: header.affine, ...orientation, headerBytes: header.bytes },
  };
}

function toMachineOrder(bytes: Uint8Array, header: NiftiHeader): void {
  if (header.littleEndian === (endianness() === 'LE')) return;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (header.datatype.bytes === 2) buffer.swap16();
  if (header.datatype.bytes === 4) buffer.swap32();
  if (header.datatype.bytes === 8) buffer.swap64();
}

function decode(header: NiftiHeader, bytes: Uint8Array<ArrayBuffer>, orientation: Orientation): Float32Array {
  const [nx, ny, nz] = header.sizeVoxels;
  const { base, steps } = rasLayout(header.sizeVoxels, orientation);
  const stored = header.datatype.view(bytes.buffer);
  const { slope, intercept } = header;
  const voxels = new Float32Array(nx * ny * nz);
  let read = 0;
  for (let k = 0; k < nz; k++) {
    for (let j = 0; j < ny; j++) {
      let write = base + k * steps[2] + j * steps[1];
      for (let i = 0; i < nx; i++, write += steps[0]) voxels[write] = Number(stored[read++]) * slope + intercept;
    }
  }
  return voxels;
}

/** Replaces NaN and infinities by the smallest finite value, which is background in CT and MR; returns how many there were. */
function repairNonFinite(voxels: Float32Array): number {
  let smallest = Infinity;
  let broken = 0;
  for (const value of voxels) {
    if (!Number.isFinite(value)) broken++;
    else if (value < smallest) smallest = value;
  }
  if (broken === 0) return 0;
  if (2 * broken > voxels.length) throw unsuitable('more than half of its voxels are not finite numbers');
  for (let i = 0; i < voxels.length; i++) if (!Number.isFinite(voxels[i])) voxels[i] = smallest;
  return broken;
}
