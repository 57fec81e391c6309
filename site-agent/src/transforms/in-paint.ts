/**
 * In-painting of Models Genesis (inner cut-out; Zhou et al., MedIA 2021; public code "v2"): up to five windows of a sixth to
 * a third of each side are painted over; 5.6 % of the voxels on average, none in 5 % of the drawings.
 */
import type { Random } from '@consilium/shared/kernel';
import type { PatchSize } from '../training/patch-batch.js';
import { type PaintFill, painter, placeWindow, requireFill } from './paint-window.js';
import { type Box, eachRun, type Patch, type Transform } from './transform.js';

export interface InPaintParameters {
  readonly fill: PaintFill;
}

export interface InPaintDrawing {
  readonly windows: readonly Box[];
  readonly fill: PaintFill;
  readonly seed: string;
}

const MOST_WINDOWS = 5;
const FURTHER_WINDOW = 0.95;

export const inPaint: Transform<InPaintParameters, InPaintDrawing> = {
  name: 'in-paint',

  draw({ fill }: InPaintParameters, sizeVoxels: PatchSize, random: Random): InPaintDrawing {
    requireFill(fill);
    const windows: Box[] = [];
    while (windows.length < MOST_WINDOWS && random.chance(FURTHER_WINDOW)) {
      const side = (axis: 0 | 1 | 2): number =>
        random.integer(Math.floor(sizeVoxels[axis] / 6), Math.floor(sizeVoxels[axis] / 3));
      windows.push(placeWindow([side(0), side(1), side(2)], sizeVoxels, random));
    }
    return { windows, fill, seed: `${random.seed}/in-paint` };
  },

  apply({ windows, fill, seed }: InPaintDrawing, patch: Patch): Patch {
    if (windows.length === 0) return patch;
    const voxels = Float32Array.from(patch.voxels);
    for (const [index, window] of windows.entries()) {
      const paint = painter(fill, `${seed}/${index}`);
      eachRun(window, patch.sizeVoxels, (offset, length) => paint(voxels, offset, offset + length));
    }
    return { sizeVoxels: patch.sizeVoxels, voxels };
  },
};
