import { VOXEL_TREATMENTS, type VoxelTreatment } from '@consilium/shared/wire';
import type { PatchSize } from '../training/patch-batch.js';
import type { GenesisDrawing } from './compose.js';
import { shuffleInto } from './local-shuffle.js';
import { type Box, eachRun } from './transform.js';

/**
 * What a drawing does to each voxel of a patch of this size, as positions in `VOXEL_TREATMENTS`. The last treatment counts:
 * painting hides what shuffling and mapping did. A voxel that shuffling leaves in its place is untouched. It repeats the shuffle
 * on a patch of numbers, so it is for the few patches of a probe and not for training.
 */
export function treatmentsOf({ shuffle, curve, paint }: GenesisDrawing, sizeVoxels: PatchSize): Uint8Array {
  const voxels = sizeVoxels[0] * sizeVoxels[1] * sizeVoxels[2];
  const treatments = new Uint8Array(voxels).fill(codeOf(curve === undefined ? 'untouched' : 'remapped'));
  if (curve === undefined && shuffle.blocks > 0) {
    const places = Float32Array.from({ length: voxels }, (_, place) => place); // exact: patches have fewer than 2²⁴ voxels
    const shuffled = new Float32Array(voxels);
    shuffleInto(shuffled, shuffle, { sizeVoxels, voxels: places });
    for (let i = 0; i < voxels; i++) if (shuffled[i] !== i) treatments[i] = codeOf('remapped');
  }
  if (paint.kind === 'in') fillWindows(treatments, paint.windows, sizeVoxels, () => codeOf('in-painted'));
  if (paint.kind === 'out') {
    const kept = treatments.slice();
    treatments.fill(codeOf('out-painted'));
    fillWindows(treatments, paint.windows, sizeVoxels, (voxel) => kept[voxel] as number);
  }
  return treatments;
}

function codeOf(treatment: VoxelTreatment): number {
  return VOXEL_TREATMENTS.indexOf(treatment);
}

function fillWindows(
  treatments: Uint8Array,
  windows: readonly Box[],
  sizeVoxels: PatchSize,
  value: (voxel: number) => number,
): void {
  for (const window of windows) {
    eachRun(window, sizeVoxels, (offset, length) => {
      for (let voxel = offset; voxel < offset + length; voxel++) treatments[voxel] = value(voxel);
    });
  }
}
