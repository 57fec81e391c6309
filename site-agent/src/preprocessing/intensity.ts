import type { Modality, Volume } from '../volumes/volume.js';
import { nonZero, percentilesOf } from './order-statistics.js';

/** Hounsfield units that become 0 and 1 (Models Genesis; spec A3). */
export const CT_WINDOW_HU = [-1000, 1000] as const;
/** Percentiles of the non-zero voxels that become 0 and 1: MR has no unit (spec C5). */
export const MR_PERCENTILES = [0.5, 99.5] as const;

/** Normalised intensities above this are not air: −500 HU in CT, 5 % of the range in MR. */
export const AIR_THRESHOLD: Readonly<Record<Modality, number>> = { CT: 0.25, MR: 0.05 };

/**
 * Intensities clipped and mapped linearly to 0…1, in the volume's layout; the volume is not changed.
 * With `target` (same length) they are written there and it is returned, for shared memory.
 */
export function normaliseIntensity(
  volume: Pick<Volume, 'voxels'>,
  modality: Modality,
  target: Float32Array = new Float32Array(volume.voxels.length),
): Float32Array {
  const [low, high] = modality === 'CT' ? CT_WINDOW_HU : mrWindow(volume.voxels);
  const scale = high > low ? 1 / (high - low) : 0;
  for (let i = 0; i < target.length; i++) {
    const scaled = ((volume.voxels[i] as number) - low) * scale;
    target[i] = scaled > 1 ? 1 : scaled > 0 ? scaled : 0;
  }
  return target;
}

/** The values that become 0 and 1 in an MR volume. */
export function mrWindow(voxels: Float32Array): [low: number, high: number] {
  const [low = 0, high = 0] = percentilesOf(nonZero(voxels), MR_PERCENTILES);
  return [low, high];
}
