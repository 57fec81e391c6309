import { closestOrientation } from '../orientation.js';
import type { Triple } from '../volume.js';
import type { Point } from './dicom-facts.js';
import { acrossPart, along, cross, dot, lengthOf, minus } from './patient-space.js';
import { explainGaps } from './slice-gaps.js';
import type { PlacedPlane, StackFault, StackGrid } from './series-stack.js';

/** Planes closer than this lie at the same place: positions are decimal text, often rounded to 0.01 mm. */
const SAME_PLACE_MM = 0.01;
/** Slices may lie this far off the even grid: a hundredth of the spacing, or what rounding the text explains. */
const EVEN_SHARE = 0.01;
const EVEN_MM = 0.01;
/** Up to here the mean spacing still describes the slices well enough to read them, with a word to the person. */
const UNEVEN_SHARE = 0.06;
/** Gantries tilt by half degrees; a lesser angle is rounding. */
const STRAIGHT_DEGREES = 0.3;
const ROUNDED_DRIFT_MM = 0.05;
const PARALLEL_COSINE = Math.cos((0.1 * Math.PI) / 180);

/** Planes at one place in space: one for each time point, echo or the like. */
export interface Slot {
  readonly planes: readonly PlacedPlane[];
  readonly position: Point;
  /** Along the normal of the stack. */
  readonly heightMm: number;
}

/** The even grid that slots form, and what a person should know of it. */
export interface EvenGrid {
  readonly grid: StackGrid;
  readonly remark: string | undefined;
}

/** Planes of one orientation sorted along their normal (never by instance number), those of one place together. */
export function slotsOf(planes: readonly PlacedPlane[]): readonly Slot[] {
  const normal = normalOf(planes);
  const sorted = planes
    .map((plane) => ({ plane, heightMm: dot(plane.position, normal) }))
    .sort((a, b) => a.heightMm - b.heightMm);
  const slots: { planes: PlacedPlane[]; position: Point; heightMm: number }[] = [];
  for (const { plane, heightMm } of sorted) {
    const last = slots.at(-1);
    if (last !== undefined && heightMm - last.heightMm <= SAME_PLACE_MM) last.planes.push(plane);
    else slots.push({ planes: [plane], position: plane.position, heightMm });
  }
  return slots;
}

/**
 * Checks that slots lie on one even, upright grid: no plane beside another, no shear (gantry tilt), no gap, even spacing.
 * Two slots always are even; whether they are neighbours is for the caller to judge.
 */
export function evenGridOf(slots: readonly Slot[]): EvenGrid | StackFault {
  const first = slots[0];
  const last = slots.at(-1);
  const plane = first?.planes[0];
  if (first === undefined || last === undefined || plane === undefined) return { fault: 'it holds no image' };
  const beside = slots.find((slot) =>
    slot.planes.some((other) => lengthOf(minus(other.position, slot.position)) > 2 * SAME_PLACE_MM),
  );
  if (beside !== undefined) return { fault: 'planes at the same height lie beside each other instead of on top of each other' };
  if (slots.length === 1) return { fault: singlePlaceFault(first.planes.length) };
  const step = along([0, 0, 0], minus(last.position, first.position), 1 / (slots.length - 1));
  return (
    shearFault(plane, minus(last.position, first.position)) ??
    evenness(slots, step) ??
    gridOf(plane, step, slots.length, unevenRemark(slots, step))
  );
}

function singlePlaceFault(planes: number): string {
  return planes === 1
    ? 'it holds a single slice, which is no volume'
    : `all its ${planes} slices lie at the same place, so they form no volume`;
}

/** Slices that climb aslant of their normal: a tilted gantry. Stacked as they are, they would shear the anatomy. */
function shearFault(plane: PlacedPlane, climb: Point): StackFault | undefined {
  const normal = normalOf([plane]);
  const drift = lengthOf(acrossPart(climb, normal));
  const height = Math.abs(dot(climb, normal));
  if (drift <= Math.max(ROUNDED_DRIFT_MM, Math.tan((STRAIGHT_DEGREES * Math.PI) / 180) * height)) return undefined;
  const degrees = (Math.atan2(drift, height) * 180) / Math.PI;
  return {
    fault: `its slices climb ${degrees.toFixed(1)}° aslant of their normal (gantry tilt); stacking them would shear the anatomy`,
    remedy: 'Reconstruct the series without tilt on the scanner, or resample it onto upright slices, and index that.',
  };
}

/** The largest distance of a slot from its place on the grid, as a share of the spacing. */
function unevenness(slots: readonly Slot[], step: Point): number {
  const start = slots[0]?.position ?? [0, 0, 0];
  const farthest = slots.reduce((most, slot, index) => {
    return Math.max(most, lengthOf(minus(slot.position, along(start, step, index))));
  }, 0);
  return farthest / lengthOf(step);
}

function evenness(slots: readonly Slot[], step: Point): StackFault | undefined {
  const tolerated = Math.max(UNEVEN_SHARE, EVEN_MM / lengthOf(step));
  return unevenness(slots, step) <= tolerated ? undefined : explainGaps(slots.map((slot) => slot.heightMm));
}

function unevenRemark(slots: readonly Slot[], step: Point): string | undefined {
  const share = unevenness(slots, step);
  const spacing = lengthOf(step);
  if (share <= Math.max(EVEN_SHARE, EVEN_MM / spacing)) return undefined;
  const offMm = (share * spacing).toPrecision(2);
  return `its slices lie up to ${offMm} mm off an even spacing of ${spacing.toFixed(3)} mm; it is read with the even spacing`;
}

/** Stored index → RAS+: DICOM's x grows to the left and y to the back, so both change sign. */
function gridOf(plane: PlacedPlane, step: Point, slices: number, remark: string | undefined): EvenGrid | StackFault {
  const { columns, rows, spacingMm, rowDirection, columnDirection, position } = plane;
  const [betweenRows, betweenColumns] = spacingMm;
  const signs: Triple = [-1, -1, 1];
  const affine = signs.flatMap((sign, axis) => [
    clean(sign * (rowDirection[axis] ?? 0) * betweenColumns),
    clean(sign * (columnDirection[axis] ?? 0) * betweenRows),
    clean(sign * (step[axis] ?? 0)),
    clean(sign * (position[axis] ?? 0)),
  ]);
  const orientation = closestOrientation([...affine, 0, 0, 0, 1]);
  if (orientation === undefined || !affine.every(Number.isFinite))
    return { fault: 'its stated geometry names no place in space' };
  return { grid: { sizeVoxels: [columns, rows, slices], affine: [...affine, 0, 0, 0, 1], orientation }, remark };
}

/** Never −0. */
function clean(value: number): number {
  return value + 0;
}

function normalOf(planes: readonly PlacedPlane[]): Point {
  const plane = planes[0];
  return plane === undefined ? [0, 0, 1] : cross(plane.rowDirection, plane.columnDirection);
}

/** Whether planes look the same way, to a tenth of a degree. */
export function areParallel(a: PlacedPlane, b: PlacedPlane): boolean {
  return dot(a.rowDirection, b.rowDirection) > PARALLEL_COSINE && dot(a.columnDirection, b.columnDirection) > PARALLEL_COSINE;
}
