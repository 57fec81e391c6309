import type { NIFTI1, NIFTI2 } from 'nifti-reader-js';
import { spacingOf } from '../orientation.js';
import { unusableVoxelSize } from './nifti-affine.js';

/** Lowest three bits of xyzt_units. */
const UNIT_NAMES: Readonly<Record<number, string>> = { 1: 'metres', 3: 'micrometres' };
/** Outside of this no scanner of people works; a unit was mistaken, or the header is damaged. */
const PLAUSIBLE_SPACING_MM = { least: 0.005, most: 100 } as const;

/** One line each: what a reader of this file should know although it can be read. An ordinary file has none. */
export function remarksOn(header: NIFTI1 | NIFTI2, affine: readonly number[], pair: boolean): string[] {
  return [...offsetRemarks(header, pair), ...unitRemarks(header, affine), ...voxelSizeRemarks(header), ...sliceRemarks(header)];
}

// Right behind the header and its four bytes for extensions is where all writers put them, but it is a guess.
function offsetRemarks({ vox_offset }: NIFTI1 | NIFTI2, pair: boolean): string[] {
  return vox_offset === 0 && !pair ? ['the header does not say where its voxels begin; they were read from right behind it'] : [];
}

function unitRemarks(header: NIFTI1 | NIFTI2, affine: readonly number[]): string[] {
  const unit = UNIT_NAMES[header.xyzt_units & 7];
  if (unit !== undefined) return [`the header gives sizes in ${unit}; they were read as millimetres`];
  const odd = spacingOf(affine).find((mm) => mm < PLAUSIBLE_SPACING_MM.least || mm > PLAUSIBLE_SPACING_MM.most);
  return odd === undefined ? [] : [`a voxel size of ${Number(odd.toPrecision(3))} mm is hardly right`];
}

function voxelSizeRemarks(header: NIFTI1 | NIFTI2): string[] {
  const wrong = unusableVoxelSize(header);
  return wrong === undefined ? [] : [`one voxel size is ${wrong}; sizes were taken from the orientation matrix (sform)`];
}

function sliceRemarks(header: NIFTI1 | NIFTI2): string[] {
  const isSlice = (header.dims[0] ?? 0) >= 3 && header.dims[3] === 1;
  return isSlice ? ['a single slice, not a volume'] : [];
}
