/** Cases that are ready to be cut into patches, wherever their voxels lie: in memory or on disk, the patches are the same. */
import type { PreparedVolume } from '../../preprocessing/patch-cache/prepared-volume.js';
import type { ReaderPool } from '../../preprocessing/patch-cache/reader-pool.js';
import type { GridMap } from '../../preprocessing/resampling/resample-volume.js';
import type { PatchSize } from '../../training/patch-batch.js';
import type { LabelledGrid } from '../../transforms/augment/labelled-patch.js';
import type { Triple } from '../../volumes/volume.js';
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
  /** What another thread opens the same case with. */
  readonly handle: CaseHandle;
  /** The class map of all voxels with this x, row-major [y][z]. */
  classPlane(x: number): Uint8Array;
  /** All of it, read anew where it lies on disk: for validation. */
  whole(): LabelledCase;
}

/** Plain data, and shared memory where the case lies in memory. */
export interface CaseHandle {
  readonly planes: readonly Uint32Array[];
  readonly place: { readonly memory: LabelledCase } | { readonly name: string; readonly files: CaseFilesOnDisk };
}

/** The files of prepared voxels that hold a case. */
export interface CaseFilesOnDisk {
  readonly image: PreparedVolume;
  /** Class numbers. */
  readonly classes: PreparedVolume;
  /** The classes on the image's own grid, where the case was resampled and is to be scored. */
  readonly own: { readonly fromOwn: GridMap; readonly classes: PreparedVolume } | undefined;
}

/** A case as its handle says; readers are the thread's own. */
export function openCase(handle: CaseHandle, readers: ReaderPool): KeptCase {
  const { place } = handle;
  return 'memory' in place ? caseInMemory(place.memory, handle) : new CaseOnDisk(place.name, place.files, handle, readers);
}

/** A volume that lies in memory: whatever is asked for, it is there already. */
export function sourceInMemory(grid: LabelledGrid): PatchSource {
  const placed = { ...grid, begins: [0, 0, 0] as const };
  return { sizeVoxels: grid.sizeVoxels, around: () => placed };
}

/** A case whose voxels stay where they are: in this thread's memory, or in memory that threads share. */
export function keptInMemory(labelled: LabelledCase, classes: number): KeptCase {
  const { counts } = ClassPlanes.count(labelled.classMap, labelled.sizeVoxels, classes);
  return caseInMemory(labelled, { planes: counts, place: { memory: labelled } });
}

function caseInMemory(labelled: LabelledCase, handle: CaseHandle): KeptCase {
  const { name, sizeVoxels, intensities, classMap } = labelled;
  const [, ny, nz] = sizeVoxels;
  return {
    ...sourceInMemory({ sizeVoxels, voxels: intensities, classMap }),
    name,
    planes: new ClassPlanes(handle.planes),
    handle,
    classPlane: (x) => classMap.subarray(x * ny * nz, (x + 1) * ny * nz),
    whole: () => labelled,
  };
}

/** Voxels of the case, or of its image's own grid where that is kept and has more. */
export function largestGridOf({ sizeVoxels, handle: { place } }: KeptCase): number {
  const own =
    'memory' in place ? place.memory.own?.classMap.length : voxelCount(place.files.own?.classes.sizeVoxels ?? [0, 0, 0]);
  return Math.max(voxelCount(sizeVoxels), own ?? 0);
}

function voxelCount([x, y, z]: PatchSize): number {
  return x * y * z;
}

/** Whether any of the cases has a voxel of a class. */
export function occursIn(cases: readonly KeptCase[]): (classIndex: number) => boolean {
  return (classIndex) => cases.some(({ planes }) => planes.total(classIndex) > 0);
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

/** Reads boxes as they are asked for. STORAGE_FAILED when a file is gone or damaged. */
class CaseOnDisk implements KeptCase {
  readonly sizeVoxels: Triple;
  readonly planes: ClassPlanes;

  constructor(
    readonly name: string,
    private readonly files: CaseFilesOnDisk,
    readonly handle: CaseHandle,
    private readonly readers: ReaderPool,
  ) {
    this.sizeVoxels = files.image.sizeVoxels;
    this.planes = new ClassPlanes(handle.planes);
  }

  around(from: PatchSize, to: PatchSize): PlacedGrid {
    const along = (axis: 0 | 1 | 2): readonly [number, number] => {
      // A box beside the volume still is one voxel of it, which nothing looks at.
      const first = Math.min(Math.max(0, from[axis]), this.sizeVoxels[axis] - 1);
      return [first, Math.max(1, Math.min(to[axis], this.sizeVoxels[axis]) - first)];
    };
    const [x, y, z] = [along(0), along(1), along(2)];
    const begins = [x[0], y[0], z[0]] as const;
    const sizeVoxels = [x[1], y[1], z[1]] as const;
    const voxels = this.readers.reader(this.files.image).readBox(begins, sizeVoxels);
    return { begins, sizeVoxels, voxels, classMap: this.readClasses(this.files.classes, begins, sizeVoxels) };
  }

  classPlane(x: number): Uint8Array {
    return this.readClasses(this.files.classes, [x, 0, 0], [1, this.sizeVoxels[1], this.sizeVoxels[2]]);
  }

  whole(): LabelledCase {
    const { name, sizeVoxels } = this;
    const { image, classes, own } = this.files;
    const intensities = this.readers.reader(image).readBox([0, 0, 0], sizeVoxels);
    const classMap = this.readClasses(classes, [0, 0, 0], sizeVoxels);
    if (own === undefined) return { name, sizeVoxels, intensities, classMap };
    const ownMap = this.readClasses(own.classes, [0, 0, 0], own.classes.sizeVoxels);
    return { name, sizeVoxels, intensities, classMap, own: { fromOwn: own.fromOwn, classMap: ownMap } };
  }

  private readClasses(file: PreparedVolume, start: Triple, size: Triple): Uint8Array {
    return Uint8Array.from(this.readers.reader(file).readBox(start, size));
  }
}
