import type { MemoryAllowance } from './memory-allowance.js';
import type { NiftiHeader } from './nifti-header.js';
import { openNifti, type OpenNifti, withNifti } from './nifti-parts.js';
import { rasGeometryOf } from './nifti-geometry.js';
import { readFrames } from './read-frames.js';
import type { Volume } from '../volume.js';
import { repairNonFinite } from '../repair-voxels.js';
import { faultOf, unsuitable } from '../volume-fault.js';

const LARGEST_FLOAT32 = 3.4028234663852886e38;

/**
 * Reads one 3D volume from .nii, .nii.gz or a .hdr/.img pair (NIfTI-1 and NIfTI-2, both byte orders, all real types),
 * reoriented to RAS+. A two-dimensional file becomes one slice. Frames are counted over all axes beyond the third.
 * Throws VOLUME_UNREADABLE or VOLUME_UNSUITABLE with a one-line reason; never takes more memory than the checked header asks.
 */
export async function readNiftiVolume(path: string, frame = 0): Promise<Volume> {
  try {
    return await withNifti(path, (open) => readVolume(open, frame));
  } catch (thrown) {
    throw faultOf(thrown, path);
  }
}

/**
 * A label map, read as a volume is. What is no finite number becomes 0, the background. Errors as above, also for a file of several
 * volumes, such as one for each class: the first of them is no label map.
 */
export async function readNiftiLabels(path: string): Promise<Volume> {
  try {
    return await withNifti(path, (open) => {
      const { frames } = open.header;
      if (frames === 1) return readVolume(open, 0, { background: 0 });
      throw unsuitable(
        `it holds ${frames} volumes where one is needed`,
        'Write one volume in which each class has a value of its own.',
      );
    });
  } catch (thrown) {
    throw faultOf(thrown, path);
  }
}

/** All volumes of a file, one after the other in a single pass; each is the consumer's own. Errors as above. */
export async function* readNiftiVolumes(path: string): AsyncGenerator<Volume> {
  try {
    const open = await openNifti(path);
    try {
      for await (const { voxels } of readFrames(open, 0, open.header.frames)) yield volumeOf(open.header, voxels);
    } finally {
      await open.close();
    }
  } catch (thrown) {
    throw faultOf(thrown, path);
  }
}

export interface ReadOptions {
  /** The usual one when left out. */
  readonly allowance?: MemoryAllowance;
  /** What voxels become that are no finite numbers; the smallest of the others when left out. */
  readonly background?: number;
}

/** One frame of an opened file. */
export async function readVolume(open: OpenNifti, frame: number, { allowance, background }: ReadOptions = {}): Promise<Volume> {
  const { header } = open;
  if (!(Number.isInteger(frame) && frame >= 0 && frame < header.frames)) {
    const last = header.frames === 1 ? 'there is only frame 0' : `the last one is ${header.frames - 1}`;
    throw unsuitable(`there is no frame ${frame}`, `Frames are counted from 0; ${last}.`);
  }
  for await (const { voxels } of readFrames(open, frame, frame + 1, allowance && (() => allowance)))
    return volumeOf(header, voxels, background);
  throw unsuitable(`there is no frame ${frame}`);
}

function volumeOf(header: NiftiHeader, voxels: Float32Array, background?: number): Volume {
  const { orientation, ...place } = rasGeometryOf(header);
  return {
    ...place,
    voxels,
    repairedVoxels: isAlwaysFinite(header) ? 0 : repairNonFinite(voxels, background),
    source: { sizeVoxels: header.sizeVoxels, affine: header.affine, ...orientation, headerBytes: header.bytes },
  };
}

function isAlwaysFinite({ datatype, slope, intercept }: NiftiHeader): boolean {
  return !datatype.name.startsWith('float') && Math.abs(slope) * 2 ** 64 + Math.abs(intercept) < LARGEST_FLOAT32;
}
