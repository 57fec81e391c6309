import type { IntensityStatistics } from './intensity-statistics.js';
import { unsuitable } from './volume-fault.js';
import type { Modality } from './volume.js';

/** Air in Hounsfield units lies below this; no tissue does. */
const AIR_HU = -500;
/** The least share of air voxels that tells CT from a map with a few stray values. */
const LEAST_AIR_SHARE = 0.001;
/** CT that is stored without its offset of 1024 has soft tissue here. */
const RAW_SOFT_TISSUE = [924, 1224] as const;
const RAW_CT_MAXIMUM = 5000;
/** A part of a CT scan may hold no air, or nothing else; of fat, water and blood some voxel lies below this. Scaled values do not. */
const LEAST_STATED_CT = -20;
/** Noise and resampling push MR a little below zero. */
const LEAST_MR_SHARE = -0.25;

/**
 * CT or MR. A hint decides, but CT must have values below zero, which CT stored without its offset, or scaled, has not. Without one,
 * values decide:
 * - CT when at least 0.1 % of the voxels lie at or below −500 (air in Hounsfield units), tissue lies above, and every voxel
 *   is a whole number (scanners store them so) or the smallest lies between −3100 and −900;
 * - MR when no voxel lies far below zero (a quarter of the 99.5th percentile at most) and the values do not look like CT
 *   stored without its offset (whole numbers up to 5000, most of those above 500 between 924 and 1224);
 * - otherwise unknown: VOLUME_UNSUITABLE with `howToSay` as the remedy, the caller's way to state it. A wrong guess would poison the
 *   intensities.
 */
export function decideModality(
  voxels: Float32Array,
  facts: IntensityStatistics,
  hint: Modality | undefined,
  howToSay: string,
): Modality {
  const { minimum, highPercentile } = facts;
  if (hint === 'MR') return 'MR';
  if (hint === 'CT') {
    if (minimum <= LEAST_STATED_CT) return 'CT';
    throw unsuitable(
      `said to be CT, but ${range(facts)} are not Hounsfield units`,
      'Store it in Hounsfield units (air is -1000, water 0), say what it is if it is no CT, or leave it out.',
    );
  }
  if (reachesAir(facts)) {
    if (holdsHounsfieldUnits(voxels, facts)) return 'CT';
  } else if (minimum >= LEAST_MR_SHARE * highPercentile && !looksLikeRawCt(voxels, facts)) {
    return 'MR';
  }
  throw unsuitable(`modality unknown: ${range(facts)} fit neither CT nor MR for certain`, howToSay);
}

/** Whether values alone say CT, see {@link decideModality}. */
export function holdsHounsfieldUnits(voxels: Float32Array, facts: IntensityStatistics): boolean {
  const { minimum } = facts;
  if (!reachesAir(facts) || shareWithin(voxels, -Infinity, AIR_HU) < LEAST_AIR_SHARE) return false;
  return areWhole(voxels) || (minimum >= -3100 && minimum <= -900);
}

function reachesAir({ minimum, maximum }: IntensityStatistics): boolean {
  return minimum <= AIR_HU && maximum > -100;
}

function looksLikeRawCt(voxels: Float32Array, { minimum, maximum }: IntensityStatistics): boolean {
  if (minimum < 0 || maximum > RAW_CT_MAXIMUM || maximum < RAW_SOFT_TISSUE[1] || !areWhole(voxels)) return false;
  return shareWithin(voxels, ...RAW_SOFT_TISSUE) > 0.5 * shareWithin(voxels, 500, Infinity);
}

function shareWithin(voxels: Float32Array, low: number, high: number): number {
  let count = 0;
  for (const value of voxels) if (value >= low && value <= high) count++;
  return count / voxels.length;
}

function areWhole(voxels: Float32Array): boolean {
  for (const value of voxels) if (!Number.isInteger(value)) return false;
  return true;
}

function range({ minimum, maximum }: IntensityStatistics): string {
  const short = (value: number): string => String(Number(value.toPrecision(4)));
  return `values from ${short(minimum)} to ${short(maximum)}`;
}
