import { unsuitable } from './volume-fault.js';

/**
 * Replaces NaN and infinities by the smallest finite value, which is background in CT and MR, or by the given one; returns how many
 * there were. VOLUME_UNSUITABLE when they are more than half.
 */
export function repairNonFinite(voxels: Float32Array, replacement?: number): number {
  let smallest = Infinity;
  let broken = 0;
  for (let i = 0; i < voxels.length; i++) {
    const value = voxels[i] as number;
    if (value - value !== 0)
      broken++; // NaN for NaN and both infinities
    else if (value < smallest) smallest = value;
  }
  if (broken === 0) return 0;
  if (2 * broken > voxels.length) throw unsuitable('more than half of its voxels are not finite numbers');
  const repaired = replacement ?? smallest;
  for (let i = 0; i < voxels.length; i++) if (!Number.isFinite(voxels[i])) voxels[i] = repaired;
  return broken;
}
