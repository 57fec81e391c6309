import type { NIFTI1, NIFTI2 } from 'nifti-reader-js';
import { closestOrientation, orientationName, spacingOf } from '../orientation.js';
import { secondAffineOf, unusableVoxelSize, voxelSizes } from './nifti-affine.js';

/** Lowest three bits of xyzt_units. */
const UNIT_NAMES: Readonly<Record<number, string>> = { 1: 'metres', 3: 'micrometres' };
/** Outside of this no scanner of people works; a unit was mistaken, or the header is damaged. */
const PLAUSIBLE_SPACING_MM = { least: 0.005, most: 100 } as const;
/** Share by which two statements of one voxel size may differ: rounding, and a shear of a few degrees. */
const SIZE_TOLERANCE = 0.02;

/** What remarks are made on. */
export interface ReadHeader {
  readonly header: NIFTI1 | NIFTI2;
  readonly version: 1 | 2;
  readonly pair: boolean;
  /** The one that counts. */
  readonly affine: readonly number[];
}

/** One line each: what a reader of this file should know although it can be read. An ordinary file has none. */
export function remarksOn(read: ReadHeader): string[] {
  return [offsetRemark(read), unitRemark(read), sizeRemark(read), sideRemark(read), sliceRemark(read)].filter(
    (remark) => remark !== undefined,
  );
}

// Right behind the header and its four bytes for extensions is where all writers put them, but it is a guess.
function offsetRemark({ header, pair }: ReadHeader): string | undefined {
  if (header.vox_offset !== 0 || pair) return undefined;
  return 'the header does not say where its voxels begin; they were read from right behind it';
}

function unitRemark({ header, affine }: ReadHeader): string | undefined {
  const unit = UNIT_NAMES[header.xyzt_units & 7];
  if (unit !== undefined) return `the header gives sizes in ${unit}; they were read as millimetres`;
  const odd = spacingOf(affine).find((mm) => mm < PLAUSIBLE_SPACING_MM.least || mm > PLAUSIBLE_SPACING_MM.most);
  return odd === undefined ? undefined : `a voxel size of ${short(odd)} mm is hardly right`;
}

/** Programs that resample sometimes update one of the two places where a header keeps its voxel sizes. */
function sizeRemark({ header, affine }: ReadHeader): string | undefined {
  const wrong = unusableVoxelSize(header);
  if (wrong !== undefined) return `one voxel size is ${wrong}; sizes were taken from the orientation matrix (sform)`;
  const stated = voxelSizes(header).slice(0, header.dims[0]);
  const used = spacingOf(affine).slice(0, header.dims[0]);
  if (stated.every((size, axis) => Math.abs(size / (used[axis] ?? 1) - 1) <= SIZE_TOLERANCE)) return undefined;
  return `voxel sizes disagree: ${stated.map(short).join(' × ')} mm stated, ${used.map(short).join(' × ')} mm by the sform, which was used`;
}

/** The most dangerous fault there is: left may be right. */
function sideRemark({ header, version, affine }: ReadHeader): string | undefined {
  const second = secondAffineOf(header, version);
  const [used, other] = [affine, second ?? affine].map((matrix) => closestOrientation(matrix));
  if (used === undefined || other === undefined || orientationName(used) === orientationName(other)) return undefined;
  return `its two orientations disagree: ${orientationName(other)} by the qform, ${orientationName(used)} by the sform, which was used`;
}

function sliceRemark({ header }: ReadHeader): string | undefined {
  const isSlice = (header.dims[0] ?? 0) >= 3 && header.dims[3] === 1;
  return isSlice ? 'a single slice, not a volume' : undefined;
}

function short(mm: number): string {
  return String(Number(mm.toPrecision(3)));
}
