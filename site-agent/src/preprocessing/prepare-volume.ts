import { digestOfJson, type Digest } from '@consilium/shared/kernel';
import { type PreparationPlan, preparationPlanSchema } from '@consilium/shared/wire';
import type { Modality, Triple, Volume } from '../volumes/volume.js';
import { cropBox, foregroundRegion, regionAffine } from './foreground.js';
import { airValueOf, applyIntensityMap, chooseIntensityMap, type IntensityMap } from './intensity.js';
import type { Box } from './resampling/resample-axis.js';
import { gridAtSpacing, resampleImage, type SpatialGrid } from './resampling/resample-volume.js';

/** Raise it when the same plan would give other voxels. */
const PIPELINE_VERSION = 2;

/** Normalised voxels in RAS+ order with their place in space. */
export interface PreparedVoxels extends SpatialGrid {
  readonly voxels: Float32Array;
  readonly airThreshold: number;
  readonly airValue: number;
}

/** The plan with what it leaves out filled in. */
export function completePlan(plan: PreparationPlan | undefined): PreparationPlan {
  return preparationPlanSchema.parse(plan ?? {});
}

/** Names everything that prepared voxels depend on but the volume and its modality. */
export function fingerprintOf(plan: PreparationPlan): Digest {
  return digestOfJson({ version: PIPELINE_VERSION, orientation: 'closest RAS+', ...plan });
}

/**
 * From a volume as read to what patches are cut from: values that are not finite become the smallest one, the intensity map is
 * chosen from the scanner's own voxels, then resampling, intensities, and the air around the body is cut away. The volume's
 * voxels may be overwritten.
 */
export function prepareVolume(
  volume: Pick<Volume, 'sizeVoxels' | 'spacingMm' | 'affine' | 'voxels'>,
  modality: Modality,
  plan: PreparationPlan,
): PreparedVoxels {
  repair(volume.voxels);
  const map = chooseIntensityMap(volume.voxels, modality, plan);
  const { grid, box } = resample(volume, plan);
  applyIntensityMap(box.voxels, map);
  return cropAir(grid, box, map, plan);
}

function resample(volume: SpatialGrid & Box, plan: PreparationPlan): { grid: SpatialGrid; box: Box } {
  const { sizeVoxels, voxels } = volume;
  if (plan.spacingMm === undefined) return { grid: volume, box: { sizeVoxels, voxels } };
  const grid = gridAtSpacing(volume, plan.spacingMm);
  return { grid, box: resampleImage({ sizeVoxels, voxels }, grid.from, plan.interpolation) };
}

function cropAir(grid: SpatialGrid, box: Box, map: IntensityMap, { cropMarginMm }: PreparationPlan): PreparedVoxels {
  const { airThreshold } = map;
  const air = { airThreshold, airValue: airValueOf(map) };
  const { spacingMm, affine } = grid;
  if (cropMarginMm === undefined) return { ...box, spacingMm, affine, ...air };
  const margin = spacingMm.map((millimetres) => Math.ceil(cropMarginMm / millimetres - 1e-9)) as unknown as Triple;
  const region = foregroundRegion(box, airThreshold, margin);
  return { ...cropBox(box, region), spacingMm, affine: regionAffine(affine, region), ...air };
}

/** What reading does with NaN and infinities already; here for volumes from anywhere else. */
function repair(voxels: Float32Array): void {
  let smallest = Infinity;
  let broken = false;
  for (const value of voxels) {
    if (!Number.isFinite(value)) broken = true;
    else if (value < smallest) smallest = value;
  }
  if (!broken) return;
  const stand = smallest === Infinity ? 0 : smallest;
  for (let i = 0; i < voxels.length; i++) if (!Number.isFinite(voxels[i])) voxels[i] = stand;
}
