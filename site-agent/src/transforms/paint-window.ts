import { Random } from '@consilium/shared/kernel';
import type { PatchSize } from '../training/patch-batch.js';
import type { IntensitySpan } from './intensity-span.js';
import { type Box, refuse } from './transform.js';

/** Fresh noise in every voxel, or one random value for each painted region. */
export type PaintFill = 'noise' | 'flat';

/**
 * Of the public code: "v0" (September 2019) paints one window of 10 to 20 voxels a side, or around one that is 10 to 20
 * shorter than the patch; "v1" (January 2020) never counts its windows, so the chain ends by chance alone; "v2" (February
 * 2020 to this day) stops at five.
 */
export type GenesisGeneration = 'v0' | 'v1' | 'v2';

/** What in-painting and out-painting both need to be drawn. */
export interface PaintParameters {
  readonly fill: PaintFill;
  /** v2 when left out. */
  readonly generation?: GenesisGeneration | undefined;
}

/** A drawing of either kind; `windows` are what is painted over, or what is kept. */
export interface PaintDrawing {
  readonly windows: readonly Box[];
  readonly fill: PaintFill;
  readonly seed: string;
}

/** Voxels between a window and the patch's border, where the window leaves room for them. */
const MARGIN = 3;
const FURTHER_WINDOW = 0.95;
const FIRST_GENERATION_SIDE = { shortest: 10, longest: 20 };

/** Ends the endless chain of "v1": one in 10¹¹ (0.95⁵⁰⁰) would be longer. */
export const MOST_WINDOWS_OF_CHAIN = 500;
const MOST_WINDOWS = 5;

export function requireFill(fill: string): void {
  if (fill !== 'noise' && fill !== 'flat') refuse('paintFill', fill, 'noise or flat');
}

/** Windows of a generation, `least` at least; `sideOf` draws the side that a window takes on an axis of v1 and v2. */
export function drawWindows(
  { least, generation = 'v2' }: { least: 0 | 1; generation?: GenesisGeneration | undefined },
  sideOf: (axis: 0 | 1 | 2) => number,
  sizeVoxels: PatchSize,
  random: Random,
): Box[] {
  const most = { v0: 1, v1: MOST_WINDOWS_OF_CHAIN, v2: MOST_WINDOWS }[generation];
  const atLeast = generation === 'v0' ? 1 : least;
  const windows: Box[] = [];
  while (windows.length < most && (windows.length < atLeast || random.chance(FURTHER_WINDOW))) {
    windows.push(placeWindow([sideOf(0), sideOf(1), sideOf(2)], sizeVoxels, random));
  }
  return windows;
}

/** The side of the first generation's windows, 10 to 20 voxels; less where the axis would leave no margin. */
export function drawFirstGenerationSide(length: number, random: Random): number {
  const side = random.integer(FIRST_GENERATION_SIDE.shortest, FIRST_GENERATION_SIDE.longest);
  return Math.min(side, Math.max(1, length - 2 * MARGIN));
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

/** Paints the voxels `from` … `to`. */
export type Painter = (voxels: Float32Array, from: number, to: number) => void;

/** Painter of one region within a span of intensities, on a stream of its own. */
export function painter(fill: PaintFill, seed: string, { low, high }: IntensitySpan): Painter {
  const random = new Random(seed);
  const extent = high - low;
  if (fill === 'flat') {
    const value = low + extent * random.uniform24();
    return (voxels, from, to) => void voxels.fill(value, from, to);
  }
  if (low === 0 && high === 1) return (voxels, from, to) => void random.fillUniform24(voxels, from, to);
  return (voxels, from, to) => {
    random.fillUniform24(voxels, from, to);
    for (let i = from; i < to; i++) voxels[i] = low + extent * (voxels[i] as number);
  };
}
