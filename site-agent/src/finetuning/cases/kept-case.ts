/** Cases that are ready to be cut into patches, wherever their voxels lie: in memory or on disk, the patches are the same. */
import type { PatchSize } from '../../training/patch-batch.js';
import type { LabelledGrid } from '../../transforms/augment/labelled-patch.js';
import { ClassPlanes } from './class-planes.js';
import type { LabelledCase } from './labelled-case.js';
import type { WindowStart } from './cut-patch.js';

/** A part of a volume, or the whole of it. */
export interface PlacedGrid extends LabelledGrid {
  /** The voxel of the volume that its first voxel is. */
  readonly begins: PatchSize;
}

/** A volume that patches are cut from. */
export interface PatchSource {
  readonly sizeVoxels: PatchSize;
  /** At least the voxels from `from` up to, but without, `to`, as far as they lie in the volume. */
  around(from: PatchSize, to: PatchSize): PlacedGrid;
}

/** A labelled case; see {@link LabelledCase} for what its voxels are. */
export interface KeptCase extends PatchSource {
  readonly name: string;
  readonly planes: ClassPlanes;
  /** The class map of all voxels with this x, row-major [y][z]. */
  classPlane(x: number): Uint8Array;
  /** All of it, read anew where it lies on disk: for validation. */
  whole(): LabelledCase;
}

/** A volume that lies in memory: whatever is asked for, it is there already. */
export function sourceInMemory(grid: LabelledGrid): PatchSource {
  const placed = { ...grid, begins: [0, 0, 0] as const };
  return { sizeVoxels: grid.sizeVoxels, around: () => placed };
}

export function keptInMemory(labelled: LabelledCase, classes: number): KeptCase {
  const { name, sizeVoxels, intensities, classMap } = labelled;
  const [, ny, nz] = sizeVoxels;
  return {
    ...sourceInMemory({ sizeVoxels, voxels: intensities, classMap }),
    name,
    planes: ClassPlanes.count(classMap, sizeVoxels, classes),
    classPlane: (x) => classMap.subarray(x * ny * nz, (x + 1) * ny * nz),
    whole: () => labelled,
  };
}

/** A class's n-th voxel in row-major order; classes and voxels are counted from 0. */
export function voxelOfClass(
  kept: Pick<KeptCase, 'sizeVoxels' | 'planes' | 'classPlane'>,
  classIndex: number,
  n: number,
): WindowStart {
  const { x, within } = kept.planes.locate(classIndex, n);
  const plane = kept.classPlane(x);
  let at = 0;
  for (let left = within; at < plane.length; at++) if (plane[at] === classIndex + 1 && left-- === 0) break;
  const nz = kept.sizeVoxels[2];
  return [x, Math.floor(at / nz), at % nz];
}
