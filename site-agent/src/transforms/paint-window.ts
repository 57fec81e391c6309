import { Random } from '@consilium/shared/kernel';
import type { PatchSize } from '../training/patch-batch.js';
import { type Box, refuse } from './transform.js';

/** Fresh noise in every voxel, or one random value for each painted region. */
export type PaintFill = 'noise' | 'flat';

/** Voxels between a window and the patch's border, where the window leaves room for them. */
const MARGIN = 3;

export function requireFill(fill: string): void {
  if (fill !== 'noise' && fill !== 'flat') refuse('paintFill', fill, 'noise or flat');
}

/** A window of the given sides, placed uniformly at least {@link MARGIN} voxels inside the patch; in tiny patches anywhere. */
export function placeWindow(size: PatchSize, sizeVoxels: PatchSize, random: Random): Box {
  const place = (axis: 0 | 1 | 2): number => {
    const room = sizeVoxels[axis] - size[axis];
    const last = room - MARGIN;
    return last >= MARGIN ? random.integer(MARGIN, last) : random.integer(0, room);
  };
  return { start: [place(0), place(1), place(2)], size };
}

/** Painter of one region, on a stream of its own. */
export function painter(fill: PaintFill, seed: string): (voxels: Float32Array, from: number, to: number) => void {
  const random = new Random(seed);
  if (fill === 'flat') {
    const value = random.uniform24();
    return (voxels, from, to) => void voxels.fill(value, from, to);
  }
  return (voxels, from, to) => {
    for (let i = from; i < to; i++) voxels[i] = random.uniform24();
  };
}
