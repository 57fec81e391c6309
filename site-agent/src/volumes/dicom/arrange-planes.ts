import type { PlacedPlane, StackFault, StackGrid } from './series-stack.js';
import { splitFrames } from './split-frames.js';
import { evenGridOf, type Slot, slotsOf } from './stack-geometry.js';

/** Planes arranged as frames of one grid. */
export interface Arrangement {
  readonly grid: StackGrid;
  readonly slots: readonly Slot[];
  /** For each frame its planes, in slot order. */
  readonly frames: readonly (readonly PlacedPlane[])[];
  /** What tells the frames apart; undefined for a single frame. */
  readonly toldApartBy: string | undefined;
  /** What a person should know of the spacing. */
  readonly remark: string | undefined;
}

/** Planes of one size and orientation as one volume, or as several of one geometry; or why they form none. */
export function arrangePlanes(planes: readonly PlacedPlane[]): Arrangement | StackFault {
  const slots = slotsOf(planes);
  const even = evenGridOf(slots);
  if ('fault' in even) return even;
  const split = splitFrames(slots);
  return 'fault' in split ? split : { ...even, ...split, slots };
}
