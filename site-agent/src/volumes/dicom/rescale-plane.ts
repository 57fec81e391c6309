import type { PlacedPlane } from './series-stack.js';
import type { StoredPlane } from './stored-plane.js';

/** What the values of a volume's planes were, so that padding can be told from them. */
export class ValueRange {
  /** Of the voxels that are no padding. */
  smallest = Infinity;
  largest = -Infinity;
  /** Of the padding voxels. */
  smallestPadding = Infinity;
  largestPadding = -Infinity;
}

/**
 * Writes a plane's values (stored · slope + intercept, computed in double precision) to `target` from `offset` on. The range
 * is followed only for planes with padding, which alone need it.
 */
export function rescalePlane(
  target: Float32Array,
  offset: number,
  { values }: StoredPlane,
  placed: PlacedPlane,
  range: ValueRange,
): void {
  const { slope, intercept } = placed.plane;
  const padding = placed.facts.pixels?.padding;
  const count = values.length;
  for (let i = 0; i < count; i++) target[offset + i] = (values[i] as number) * slope + intercept;
  if (padding !== undefined) followRange(values, padding, placed, range);
}

function followRange(
  values: StoredPlane['values'],
  [from, to]: readonly [number, number],
  placed: PlacedPlane,
  range: ValueRange,
): void {
  const { slope, intercept } = placed.plane;
  let [smallest, largest, lowPadding, highPadding] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (value >= from && value <= to) {
      if (value < lowPadding) lowPadding = value;
      if (value > highPadding) highPadding = value;
    } else {
      if (value < smallest) smallest = value;
      if (value > largest) largest = value;
    }
  }
  const ends = [smallest, largest].filter(Number.isFinite).map((value) => Math.fround(value * slope + intercept));
  const paddingEnds = [lowPadding, highPadding].filter(Number.isFinite).map((value) => Math.fround(value * slope + intercept));
  range.smallest = Math.min(range.smallest, ...ends);
  range.largest = Math.max(range.largest, ...ends);
  range.smallestPadding = Math.min(range.smallestPadding, ...paddingEnds);
  range.largestPadding = Math.max(range.largestPadding, ...paddingEnds);
}

/**
 * Padding marks where a scanner measured nothing. It becomes the smallest measured value where it would pass for a strong or
 * a negative signal: above all measured values, or, except in CT, below zero and below them. CT padding below air stays, as
 * every converter leaves it and the intensity window makes it air (Models Genesis clips at −1000 HU). Padding among the
 * measured values cannot be told from them and stays.
 */
export function settlePadding(voxels: Float32Array, isCt: boolean, range: ValueRange): void {
  const { smallest, largest, smallestPadding, largestPadding } = range;
  if (smallest > largest) return;
  const tooHigh = largestPadding > largest;
  const tooLow = !isCt && smallestPadding < Math.min(0, smallest);
  if (!tooHigh && !tooLow) return;
  for (let i = 0; i < voxels.length; i++) {
    const value = voxels[i] as number;
    if ((tooHigh && value > largest) || (tooLow && value < smallest)) voxels[i] = smallest;
  }
}
