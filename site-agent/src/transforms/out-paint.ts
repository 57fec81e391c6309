/**
 * Out-painting of Models Genesis (outer cut-out; Zhou et al., MedIA 2021; public code "v2"): everything is painted over but
 * one to five windows of about half of each side; 31 % of the voxels survive on average.
 */
import type { Random } from '@consilium/shared/kernel';
import type { PatchSize } from '../training/patch-batch.js';
import type { IntensitySpan } from './intensity-span.js';
import type { IntensityMap } from './nonlinear-intensity.js';
import {
  drawFirstGenerationSide,
  drawWindows,
  type PaintDrawing,
  painter,
  type PaintParameters,
  requireFill,
} from './paint-window.js';
import { eachRun, type Patch, type Transform } from './transform.js';

/** Its windows are what is kept; never empty. */
export type OutPaintDrawing = PaintDrawing;

export const outPaint: Transform<PaintParameters, OutPaintDrawing> = {
  name: 'out-paint',

  draw({ fill, generation }: PaintParameters, sizeVoxels: PatchSize, random: Random): OutPaintDrawing {
    requireFill(fill);
    const side = (axis: 0 | 1 | 2): number => {
      const length = sizeVoxels[axis];
      if (generation === 'v0') return Math.max(1, length - drawFirstGenerationSide(length, random));
      return length - random.integer(Math.floor((3 * length) / 7), Math.floor((4 * length) / 7));
    };
    const windows = drawWindows({ least: 1, generation }, side, sizeVoxels, random);
    return { windows, fill, seed: `${random.seed}/out-paint` };
  },

  apply(drawing: OutPaintDrawing, patch: Patch): Patch {
    const voxels = new Float32Array(patch.voxels.length);
    paintOutside(voxels, drawing, patch, { low: 0, high: 1 }, copyRun);
    return { sizeVoxels: patch.sizeVoxels, voxels };
  },
};

/** Writes paint everywhere but in the windows, and what `map` makes of the patch there; `target` is not the patch itself. */
export function paintOutside(
  target: Float32Array,
  { windows, fill, seed }: OutPaintDrawing,
  { voxels, sizeVoxels }: Patch,
  span: IntensitySpan,
  map: IntensityMap,
): void {
  painter(fill, seed, span)(target, 0, target.length);
  for (const window of windows) {
    eachRun(window, sizeVoxels, (offset, length) => map(target, voxels, offset, offset + length));
  }
}

/** The map that keeps every intensity; quicker for short runs than a view and a copy. */
export function copyRun(target: Float32Array, source: Float32Array, from: number, to: number): void {
  for (let i = from; i < to; i++) target[i] = source[i] as number;
}
