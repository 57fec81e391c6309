/**
 * Non-linear intensity map of Models Genesis (Zhou et al., MedIA 2021; public code "v2"): a cubic Bézier curve from (0, 0)
 * to (1, 1) with two free control points. As published half of the maps rise; the others fall, inverting the contrast.
 */
import type { Random } from '@consilium/shared/kernel';
import type { PatchSize } from '../training/patch-batch.js';
import { type IntensityRange, type IntensitySpan, spanOf } from './intensity-span.js';
import { ScratchSpace } from './scratch-space.js';
import { type Patch, requireProbability, type Transform } from './transform.js';

export interface NonlinearIntensityParameters {
  readonly probability: number;
  /** Of the maps, which fall; a half when left out. */
  readonly invertedShare?: number | undefined;
  /** Where the curve begins and ends; 0 and 1 when left out. */
  readonly range?: IntensityRange | undefined;
}

/** Two control points (as shares of the range) and the direction; undefined when the patch keeps its intensities. */
export interface IntensityCurve {
  readonly control: readonly [x1: number, y1: number, x2: number, y2: number];
  readonly falling: boolean;
  readonly range?: IntensityRange | undefined;
}

// Of their own names, for a test runner's sandbox looks Math up anew, and slowly, each time.
const { max, min } = Math;

const CURVE_POINTS = 2048;
const TABLE_CELLS = 4096;

export const nonlinearIntensity: Transform<NonlinearIntensityParameters, IntensityCurve | undefined> = {
  name: 'nonlinear-intensity',

  draw(parameters: NonlinearIntensityParameters, _size: PatchSize, random: Random): IntensityCurve | undefined {
    const { probability, invertedShare = 0.5, range } = parameters;
    requireProbability('nonlinearProbability', probability);
    requireProbability('invertedShare', invertedShare);
    if (!random.chance(probability)) return undefined;
    const control = [random.uniform(), random.uniform(), random.uniform(), random.uniform()] as const;
    const falling = random.chance(invertedShare);
    return range === undefined ? { control, falling } : { control, falling, range };
  },

  apply(curve: IntensityCurve | undefined, patch: Patch): Patch {
    if (curve === undefined) return patch;
    const voxels = new Float32Array(patch.voxels.length);
    intensityMap(curve, spanOf(curve.range, patch.voxels))(voxels, patch.voxels, 0, voxels.length);
    return { sizeVoxels: patch.sizeVoxels, voxels };
  },
};

/** Writes the mapped voxels `from` … `to` of the source; the target may be the source itself. */
export type IntensityMap = (target: Float32Array, source: Float32Array, from: number, to: number) => void;

/** The map of a curve over a span of intensities; what lies outside the span is clamped. Valid until the next map is made. */
export function intensityMap(curve: IntensityCurve, { low, high }: IntensitySpan): IntensityMap {
  if (!(high > low)) return (target, source, from, to) => void target.set(source.subarray(from, to), from);
  const table = intensityTable(curve, tableSpace.take(TABLE_CELLS + 2));
  const [scale, extent] = [TABLE_CELLS / (high - low), high - low];
  return (target, source, from, to) => {
    for (let i = from; i < to; i++) {
      const position = min(TABLE_CELLS, max(0, ((source[i] as number) - low) * scale));
      const cell = position | 0;
      const value = table[cell] as number;
      target[i] = low + extent * (value + ((table[cell + 1] as number) - value) * (position - cell));
    }
  };
}

const tableSpace = new ScratchSpace(Float64Array);
const xsSpace = new ScratchSpace(Float64Array);
const ysSpace = new ScratchSpace(Float64Array);

/**
 * The map at TABLE_CELLS + 1 evenly spaced intensities 0…1, for linear interpolation between them; the last value stands
 * twice, so that intensity 1 has a right neighbour too.
 */
export function intensityTable(curve: IntensityCurve, table = new Float64Array(TABLE_CELLS + 2)): Float64Array {
  const { xs, ys } = curvePoints(curve);
  let right = 1;
  for (let cell = 0; cell <= TABLE_CELLS; cell++) {
    const x = cell / TABLE_CELLS;
    while (right < CURVE_POINTS - 1 && (xs[right] as number) < x) right++;
    const [x0, x1] = [xs[right - 1] as number, xs[right] as number];
    const share = x1 > x0 ? min(1, max(0, (x - x0) / (x1 - x0))) : 1;
    table[cell] = (ys[right - 1] as number) * (1 - share) + (ys[right] as number) * share;
  }
  table[TABLE_CELLS + 1] = table[TABLE_CELLS] as number;
  return table;
}

/**
 * Points of the curve with abscissae in ascending order. The published code walks the curve from (1, 1) to (0, 0): sorting
 * the abscissae alone pairs 0 with 1, a falling map; sorting the ordinates too gives a rising one.
 */
function curvePoints({ control: [x1, y1, x2, y2], falling }: IntensityCurve): { xs: Float64Array; ys: Float64Array } {
  const [xs, ys] = [xsSpace.take(CURVE_POINTS), ysSpace.take(CURVE_POINTS)];
  for (let index = 0; index < CURVE_POINTS; index++) {
    const t = 1 - index / (CURVE_POINTS - 1);
    const u = 1 - t; // products, not powers: the same bits on every engine
    const [first, second, third] = [3 * t * u * u, 3 * t * t * u, t * t * t];
    xs[index] = first * x1 + second * x2 + third;
    ys[index] = first * y1 + second * y2 + third;
  }
  sortAscending(xs);
  if (!falling) sortAscending(ys);
  return { xs, ys };
}

/** Sorts the values of a cubic; most lie in falling order already, and turning them round is enough. */
function sortAscending(values: Float64Array): void {
  values.reverse();
  for (let i = 1; i < values.length; i++) {
    if ((values[i] as number) < (values[i - 1] as number)) return void values.sort();
  }
}
