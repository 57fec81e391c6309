import type { Slot } from './stack-geometry.js';
import type { PlacedPlane, StackFault } from './series-stack.js';

/** What may tell the planes of one place apart: a number or text that sorts them. */
interface FrameKey {
  readonly name: string;
  readonly of: (plane: PlacedPlane) => number | string | undefined;
  /** Every place must show the same values; otherwise the key only orders the planes of each place. */
  readonly shared: boolean;
}

const CONTRASTS: readonly FrameKey[] = [
  { name: 'dimension index', of: ({ plane }) => plane.dimensionKey, shared: true },
  { name: 'temporal position', of: ({ facts }) => facts.temporalPosition, shared: true },
  { name: 'trigger time', of: ({ facts }) => facts.triggerTimeMs, shared: false },
  { name: 'echo time', of: ({ facts }) => facts.echoTimeMs, shared: true },
  { name: 'echo number', of: ({ facts }) => facts.echoNumber, shared: true },
  { name: 'b-value', of: ({ facts }) => facts.bValue, shared: true },
];
const ORDERS: readonly FrameKey[] = [
  { name: 'dimension index', of: ({ plane }) => plane.dimensionKey, shared: false },
  { name: 'acquisition number', of: ({ facts }) => facts.acquisitionNumber, shared: false },
  { name: 'acquisition time', of: ({ facts }) => facts.acquisitionTimeS, shared: false },
  { name: 'content time', of: ({ facts }) => facts.contentTimeS, shared: false },
  { name: 'instance number', of: ({ facts }) => facts.instanceNumber, shared: false },
  { name: 'frame number', of: ({ plane }) => plane.frame, shared: false },
];
/** Tried in this order: one key, two contrasts together (echoes at several times), then mere order. */
const CANDIDATES: readonly (readonly FrameKey[])[] = [
  ...CONTRASTS.map((key) => [key]),
  ...CONTRASTS.flatMap((key, index) => CONTRASTS.slice(index + 1).map((other) => [key, other])),
  ...ORDERS.map((key) => [key]),
];

export interface SplitFrames {
  /** For each frame its planes, in slot order. */
  readonly frames: readonly (readonly PlacedPlane[])[];
  /** What tells the frames apart; undefined for a single frame. */
  readonly toldApartBy: string | undefined;
}

/**
 * Frames of a stack whose places hold several planes: time points, echoes, b-values. The first header field that tells all
 * planes of every place apart orders them. Acquisition times that differ from slice to slice only order the planes of one
 * place, so they never tear a volume apart.
 */
export function splitFrames(slots: readonly Slot[]): SplitFrames | StackFault {
  const count = slots[0]?.planes.length ?? 0;
  const odd = slots.find((slot) => slot.planes.length !== count);
  if (odd !== undefined) return { fault: unequalFault(slots) };
  if (count === 1) return { frames: [slots.flatMap((slot) => slot.planes)], toldApartBy: undefined };
  const keys = CANDIDATES.find((candidate) => explains(candidate, slots));
  if (keys === undefined) return { fault: `each place is there ${count} times, and no header field tells these images apart` };
  const sorted = slots.map((slot) => [...slot.planes].sort((a, b) => compareBy(keys, a, b)));
  const frames = Array.from({ length: count }, (_, frame) => sorted.flatMap((planes) => planes[frame] ?? []));
  return { frames, toldApartBy: keys.map(({ name }) => name).join(' and ') };
}

function unequalFault(slots: readonly Slot[]): string {
  const counts = slots.map((slot) => slot.planes.length);
  const usual = counts.reduce((a, b) => Math.min(a, b));
  const most = counts.reduce((a, b) => Math.max(a, b));
  const more = slots.filter((slot) => slot.planes.length > usual);
  const heights = more.slice(0, 3).map((slot) => `${Number(slot.heightMm.toFixed(2))} mm`);
  const where = `${heights.join(', ')}${more.length > 3 ? ' …' : ''}`;
  return usual === 1 && more.length < slots.length / 2
    ? `${more.length} of its ${slots.length} places hold more than one image (at ${where})`
    : `its places hold different numbers of images (${usual} to ${most}; more at ${where})`;
}

function explains(keys: readonly FrameKey[], slots: readonly Slot[]): boolean {
  const shared = keys.every((key) => key.shared);
  let expected: string | undefined;
  for (const { planes } of slots) {
    if (planes.some((plane) => keys.some((key) => key.of(plane) === undefined))) return false;
    const labels = planes.map((plane) => keys.map((key) => key.of(plane)).join('|')).sort();
    if (new Set(labels).size < planes.length) return false;
    if (shared && labels.join() !== (expected ??= labels.join())) return false;
  }
  return true;
}

function compareBy(keys: readonly FrameKey[], a: PlacedPlane, b: PlacedPlane): number {
  for (const key of keys) {
    const order = compareValues(key.of(a), key.of(b));
    if (order !== 0) return order;
  }
  return 0;
}

/** Numbers by size; texts such as "1/10" number by number. */
function compareValues(a: number | string | undefined, b: number | string | undefined): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return String(a).localeCompare(String(b), 'en', { numeric: true });
}
