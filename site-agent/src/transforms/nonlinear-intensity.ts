/**
 * Non-linear intensity map of Models Genesis (Zhou et al., MedIA 2021; public code "v2"): a cubic Bézier curve from (0, 0)
 * to (1, 1) with two free control points. Half of the maps rise; the other half fall, inverting the contrast.
 */
import type { Random } from '@consilium/shared/kernel';
import type { PatchSize } from '../training/patch-batch.js';
import { type Patch, requireProbability, type Transform } from './transform.js';

export interface NonlinearIntensityParameters {
  readonly probability: number;
}

/** Two control points and the direction; undefined when the patch keeps its intensities. */
export interface IntensityCurve {
  readonly control: readonly [x1: number, y1: number, x2: number, y2: number];
  readonly falling: boolean;
}

const CURVE_POINTS = 2048;
const TABLE_CELLS = 4096;

export const nonlinearIntensity: Transform<NonlinearIntensityParameters, IntensityCurve | undefined> = {
  name: 'nonlinear-intensity',

  draw({ probability }: NonlinearIntensityParameters, _size: PatchSize, random: Random): IntensityCurve | undefined {
    requireProbability('nonlinearProbability', probability);
    if (!random.chance(probability)) return undefined;
    const control = [random.uniform(), random.uniform(), random.uniform(), random.uniform()] as const;
    return { control, falling: random.chance(0.5) };
  },

  apply(curve: IntensityCurve | undefined, patch: Patch): Patch {
    if (curve === undefined) return patch;
    const table = intensityTable(curve);
    const voxels = new Float32Array(patch.voxels.length);
    for (let i = 0; i < voxels.length; i++) voxels[i] = lookUp(table, patch.voxels[i] as number);
    return { sizeVoxels: patch.sizeVoxels, voxels };
  },
};

/** The map at evenly spaced intensities 0…1, for linear interpolation between them. */
export function intensityTable(curve: IntensityCurve): Float64Array {
  const { xs, ys } = curvePoints(curve);
  const table = new Float64Array(TABLE_CELLS + 1);
  let right = 1;
  for (let cell = 0; cell <= TABLE_CELLS; cell++) {
    const x = cell / TABLE_CELLS;
    while (right < CURVE_POINTS - 1 && (xs[right] as number) < x) right++;
    const [x0, x1] = [xs[right - 1] as number, xs[right] as number];
    const share = x1 > x0 ? Math.min(1, Math.max(0, (x - x0) / (x1 - x0))) : 1;
    table[cell] = (ys[right - 1] as number) * (1 - share) + (ys[right] as number) * share;
  }
  return table;
}

/** Clamped outside 0…1. */
function lookUp(table: Float64Array, intensity: number): number {
  const position = Math.min(1, Math.max(0, intensity)) * TABLE_CELLS;
  const cell = Math.min(TABLE_CELLS - 1, Math.floor(position));
  const [low, high] = [table[cell] as number, table[cell + 1] as number];
  return low + (high - low) * (position - cell);
}

/**
 * Points of the curve with abscissae in ascending order. The published code walks the curve from (1, 1) to (0, 0): sorting
 * the abscissae alone pairs 0 with 1, a falling map; sorting the ordinates too gives a rising one.
 */
function curvePoints({ control: [x1, y1, x2, y2], falling }: IntensityCurve): { xs: Float64Array; ys: Float64Array } {
  const xs = new Float64Array(CURVE_POINTS);
  const ys = new Float64Array(CURVE_POINTS);
  for (let index = 0; index < CURVE_POINTS; index++) {
    const t = 1 - index / (CURVE_POINTS - 1);
    const u = 1 - t; // products, not powers: the same bits on every engine
    const [first, second, third] = [3 * t * u * u, 3 * t * t * u, t * t * t];
    xs[index] = first * x1 + second * x2 + third;
    ys[index] = first * y1 + second * y2 + third;
  }
  xs.sort();
  if (!falling) ys.sort();
  return { xs, ys };
}
