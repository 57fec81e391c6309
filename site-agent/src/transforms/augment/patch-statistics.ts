/** Smallest and largest value. */
export function extentOf(voxels: Float32Array): { low: number; high: number } {
  let [low, high] = [Infinity, -Infinity];
  for (let i = 0; i < voxels.length; i++) {
    const value = voxels[i] as number;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return { low, high };
}

export function meanOf(voxels: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < voxels.length; i++) sum += voxels[i] as number;
  return sum / voxels.length;
}
