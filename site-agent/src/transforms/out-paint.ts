/**
 * Out-painting of Models Genesis (outer cut-out; Zhou et al., MedIA 2021; public code "v2"): everything is painted over but
 * one to five windows of about half of each side; 31 % of the voxels survive on average.
 */
import type { Random } from '@consilium/shared/kernel';
import type { PatchSize } from '../training/patch-batch.js';
import { type PaintFill, painter, placeWindow, requireFill } from './paint-window.js';
import { type Box, eachRun, type Patch, type Transform } from './transform.js';

export interface OutPaintParameters {
  readonly fill: PaintFill;
}

export interface OutPaintDrawing {
  /** What is kept; never empty. */
  readonly windows: readonly Box[];
  readonly fill: PaintFill;
  readonly seed: string;
}

const MOST_FURTHER_WINDOWS = 4;
const FURTHER_WINDOW = 0.95;

export const outPaint: Transform<OutPaintParameters, OutPaintDrawing> = {
  name: 'out-paint',

  draw({ fill }: OutPaintParameters, sizeVoxels: PatchSize, random: Random): OutPaintDrawing {
    requireFill(fill);
    const side = (axis: 0 | 1 | 2): number => {
      const length = sizeVoxels[axis];
      return length - random.integer(Math.floor((3 * length) / 7), Math.floor((4 * length) / 7));
    };
    const window = (): Box => placeWindow([side(0), side(1), side(2)], sizeVoxels, random);
    const windows = [window()];
    while (windows.length <= MOST_FURTHER_WINDOWS && random.chance(FURTHER_WINDOW)) windows.push(window());
    return { windows, fill, seed: `${random.seed}/out-paint` };
  },

  apply({ windows, fill, seed }: OutPaintDrawing, patch: Patch): Patch {
    const voxels = new Float32Array(patch.voxels.length);
    painter(fill, seed)(voxels, 0, voxels.length);
    for (const window of windows) {
      eachRun(window, patch.sizeVoxels, (offset, length) => {
        voxels.set(patch.voxels.subarray(offset, offset + length), offset);
      });
    }
    return { sizeVoxels: patch.sizeVoxels, voxels };
  },
};
