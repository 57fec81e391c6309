/**
 * Gamma: intensities to a power over the span of the patch, so that dark and bright keep their place and the middle moves.
 * Inverted, it bends the bright end instead. As in nnU-Net (Isensee et al., Nature Methods 2021).
 */
import type { Random } from '@consilium/shared/kernel';
import type { PatchSize } from '../../training/patch-batch.js';
import { type Patch, requireProbability, type Transform } from '../transform.js';
import { power } from './exact-functions.js';
import { extentOf } from './patch-statistics.js';
import { type Bounds, drawFactor, requireBounds } from './labelled-patch.js';

const { floor, sqrt } = Math;

export interface GammaParameters {
  readonly probability: number;
  readonly exponent: Bounds;
  /** Share of the drawings that bend the inverted image. */
  readonly invertedShare: number;
}

export interface GammaDrawing {
  readonly exponent: number;
  readonly inverted: boolean;
}

export const gamma: Transform<GammaParameters, GammaDrawing | undefined> = {
  name: 'gamma',

  draw({ probability, exponent, invertedShare }: GammaParameters, _size: PatchSize, random: Random): GammaDrawing | undefined {
    requireProbability('gammaProbability', probability);
    requireProbability('gammaInvertedShare', invertedShare);
    requireBounds('gammaExponent', exponent, 0.1, 10);
    if (!random.chance(probability)) return undefined;
    return { exponent: drawFactor(exponent, random), inverted: random.chance(invertedShare) };
  },

  apply(drawing: GammaDrawing | undefined, patch: Patch): Patch {
    if (drawing === undefined) return patch;
    const { low, high } = extentOf(patch.voxels);
    if (!(high > low)) return patch;
    const table = powerTable(drawing.exponent);
    const [anchor, extent] = drawing.inverted ? [high, low - high] : [low, high - low];
    const voxels = new Float32Array(patch.voxels.length);
    for (let i = 0; i < voxels.length; i++) {
      const share = ((patch.voxels[i] as number) - anchor) / extent;
      const position = sqrt(share) * CELLS;
      const cell = floor(position);
      const value = table[cell] as number;
      voxels[i] = anchor + extent * (value + ((table[cell + 1] as number) - value) * (position - cell));
    }
    return { sizeVoxels: patch.sizeVoxels, voxels };
  },
};

const CELLS = 4096;

/** share ↦ share^exponent at evenly spaced square roots: near 0, where a power is steep, the points lie close together. */
function powerTable(exponent: number): Float64Array {
  const table = new Float64Array(CELLS + 2);
  for (let cell = 0; cell <= CELLS; cell++) table[cell] = power(cell / CELLS, 2 * exponent);
  table[CELLS + 1] = table[CELLS] as number;
  return table;
}
