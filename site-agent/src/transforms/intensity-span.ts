import { percentilesOf } from '../preprocessing/order-statistics.js';

/** Intensities lie in 0…1, or span what the patch itself spans (z-scored data of the nnU-Net variant). */
export type IntensityRange = 'unit' | 'percentiles';

export interface IntensitySpan {
  readonly low: number;
  readonly high: number;
}

/** The nnU-Net variant's end points of the curve. */
const PERCENTS = [0.1, 99.9] as const;

/** 0 and 1, or the 0.1 and 99.9 percentile of the finite voxels. */
export function spanOf(range: IntensityRange | undefined, voxels: Float32Array): IntensitySpan {
  if (range !== 'percentiles') return { low: 0, high: 1 };
  const finite = voxels.every(Number.isFinite) ? voxels : voxels.filter(Number.isFinite);
  const [low = 0, high = 1] = percentilesOf(finite, PERCENTS);
  return { low, high };
}
