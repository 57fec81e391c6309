import type { Random } from '@consilium/shared/kernel';
import type { PatchSize } from '../../training/patch-batch.js';
import { refuse } from '../transform.js';

/** An image with its labels on one grid, row-major [x][y][z]; a patch, or the whole volume that a patch is cut from. */
export interface LabelledGrid {
  readonly sizeVoxels: PatchSize;
  readonly voxels: Float32Array;
  /** 0 for background; left out where there are no labels. */
  readonly classMap?: Uint8Array | undefined;
}

/** Two bounds of a uniform draw. */
export type Bounds = readonly [low: number, high: number];

/** Refuses bounds in the wrong order or outside `least` … `most`. */
export function requireBounds(name: string, [low, high]: Bounds, least: number, most: number): void {
  if (low >= least && low <= high && high <= most) return;
  refuse(name, `${low} to ${high}`, `two numbers in ascending order, from ${least} to ${most}`);
}

/** Where bounds lie on both sides of 1, either side is as likely, so that things shrink as often as they grow. */
export function drawFactor([low, high]: Bounds, random: Random): number {
  if (!(low < 1 && high > 1)) return random.between(low, high);
  return random.chance(0.5) ? random.between(low, 1) : random.between(1, high);
}
