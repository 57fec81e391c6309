import type { PreparationPlan } from '@consilium/shared/wire';
import type { Modality } from '../volumes/volume.js';
import { nonZero, percentilesOf } from './order-statistics.js';

/** Hounsfield units that become 0 and 1 (Models Genesis; spec A3). */
export const CT_WINDOW_HU = [-1000, 1000] as const;
/** Percentiles of the non-zero voxels that become 0 and 1: MR has no unit (spec C5). */
export const MR_PERCENTILES = [0.5, 99.5] as const;

/** In CT, Hounsfield units above this are not air; in MR, this share of the window (spec C5). */
export const AIR_HU = -500;
export const AIR_SHARE = 0.05;

/** Normalised intensities above this are not air, in the usual windows. */
export const AIR_THRESHOLD: Readonly<Record<Modality, number>> = { CT: 0.25, MR: AIR_SHARE };

/** How values of one volume become intensities: clipped to [low, high], then (value − low) · scale + offset. */
export interface IntensityMap {
  readonly low: number;
  readonly high: number;
  readonly scale: number;
  readonly offset: number;
  /** Intensities above this are not air. */
  readonly airThreshold: number;
}

type IntensityPlan = Pick<PreparationPlan, 'intensity' | 'ctWindowHu' | 'percentiles'>;

const AS_PUBLISHED: IntensityPlan = { intensity: 'window', ctWindowHu: [...CT_WINDOW_HU], percentiles: [...MR_PERCENTILES] };

/**
 * Decides the map from a whole volume.
 * - window: CT by Hounsfield units, MR by percentiles of its non-zero voxels, to 0…1;
 * - z-score: clipped to percentiles of all voxels, then mean 0 and deviation 1 (MedicalNet; spec B3).
 * A volume without contrast is air everywhere (a z-score of 0), never a division by zero; values that are not finite count nowhere.
 */
export function chooseIntensityMap(voxels: Float32Array, modality: Modality, plan: IntensityPlan = AS_PUBLISHED): IntensityMap {
  if (plan.intensity === 'z-score') return zScoreMap(voxels, modality, plan.percentiles);
  const [low, high] = modality === 'CT' ? plan.ctWindowHu : mrWindow(voxels, plan.percentiles);
  const scale = high > low ? 1 / (high - low) : 0;
  return { low, high, scale, offset: 0, airThreshold: modality === 'CT' ? clip((AIR_HU - low) * scale, 0, 1) : AIR_SHARE };
}

/** Maps values in place; NaN becomes the smallest intensity. Returns the same array. */
export function applyIntensityMap(voxels: Float32Array, { low, high, scale, offset }: IntensityMap): Float32Array {
  for (let i = 0; i < voxels.length; i++) {
    const value = voxels[i] as number;
    voxels[i] = (value >= high ? high - low : value > low ? value - low : 0) * scale + offset;
  }
  return voxels;
}

/** What air has after mapping: the least intensity there is. */
export function airValueOf({ offset }: IntensityMap): number {
  return offset;
}

/**
 * Intensities clipped and mapped linearly to 0…1 as published, in the volume's layout; the volume is not changed.
 * With `target` (same length) they are written there and it is returned.
 */
export function normaliseIntensity(
  { voxels }: { readonly voxels: Float32Array },
  modality: Modality,
  target: Float32Array = new Float32Array(voxels.length),
): Float32Array {
  target.set(voxels);
  return applyIntensityMap(target, chooseIntensityMap(voxels, modality));
}

/** The values that become 0 and 1 in an MR volume. */
export function mrWindow(voxels: Float32Array, percentiles: readonly number[] = MR_PERCENTILES): [low: number, high: number] {
  const [low = 0, high = 0] = percentilesOf(nonZero(voxels), percentiles);
  return [low, high];
}

function zScoreMap(voxels: Float32Array, modality: Modality, percentiles: readonly number[]): IntensityMap {
  const [low = 0, high = 0] = percentilesOf(finite(voxels), percentiles);
  const { mean, deviation } = clippedMoments(voxels, low, high);
  const scale = deviation > 0 ? 1 / deviation : 0;
  const air = modality === 'CT' ? clip(AIR_HU, low, high) : low + AIR_SHARE * (high - low);
  return { low, high, scale, offset: (low - mean) * scale, airThreshold: (air - mean) * scale };
}

/** Mean and standard deviation (of the population) of the clipped values, in 64 bits. */
function clippedMoments(voxels: Float32Array, low: number, high: number): { mean: number; deviation: number } {
  let sum = 0;
  for (const value of voxels) sum += clip(value, low, high);
  const mean = sum / voxels.length;
  let squares = 0;
  for (const value of voxels) squares += (clip(value, low, high) - mean) ** 2;
  return { mean, deviation: Math.sqrt(squares / voxels.length) };
}

/** NaN becomes the low end, as in {@link applyIntensityMap}. */
function clip(value: number, low: number, high: number): number {
  return value >= high ? high : value > low ? value : low;
}

/** The values themselves when all are finite, else a copy of those that are. */
function finite(voxels: Float32Array): Float32Array {
  return voxels.every(Number.isFinite) ? voxels : voxels.filter(Number.isFinite);
}
