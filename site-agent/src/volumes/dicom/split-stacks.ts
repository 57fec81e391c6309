import { acrossPart, cross, lengthOf, minus } from './patient-space.js';
import { areParallel } from './stack-geometry.js';
import type { PlacedPlane } from './series-stack.js';

/** No series holds more volumes that differ in one thing; beyond, planes stay alone, so that hostile files cost no time. */
const MOST_GROUPS = 128;

/** Planes that may form a volume together, and by what they were parted from the rest of their series. */
export interface PlaneGroup {
  readonly planes: readonly [PlacedPlane, ...PlacedPlane[]];
  readonly partedBy: readonly string[];
}

export interface Criterion {
  readonly name: string;
  readonly alike: (a: PlacedPlane, b: PlacedPlane) => boolean;
}

/** Planes that differ in one of these never share a volume. */
const GEOMETRY: readonly Criterion[] = [
  { name: 'localizer', alike: (a, b) => isLocalizer(a) === isLocalizer(b) },
  { name: 'orientation', alike: areParallel },
  { name: 'size', alike: (a, b) => a.rows === b.rows && a.columns === b.columns },
  { name: 'pixel size', alike: (a, b) => a.spacingMm.every((spacing, axis) => isNear(spacing, b.spacingMm[axis] ?? 0)) },
];

export const IMAGE_TYPE: Criterion = { name: 'image type', alike: byValue(({ facts }) => facts.imageType.join('\\')) };

/** Tried one after the other when the planes of one geometry form no volume together. */
export const ACQUISITIONS: readonly Criterion[] = [
  { name: 'frame of reference', alike: byValue(({ facts }) => facts.frameOfReference) },
  { name: 'acquisition number', alike: byValue(({ facts }) => facts.acquisitionNumber) },
  { name: 'echo time', alike: byValue(({ facts }) => facts.echoTimeMs) },
  { name: 'echo number', alike: byValue(({ facts }) => facts.echoNumber) },
  { name: 'temporal position', alike: byValue(({ facts }) => facts.temporalPosition) },
  { name: 'trigger time', alike: byValue(({ facts }) => facts.triggerTimeMs) },
  { name: 'b-value', alike: byValue(({ facts }) => facts.bValue) },
  { name: 'dimension index', alike: byValue(({ plane }) => plane.dimensionKey) },
  { name: 'place across the slices', alike: (a, b) => lengthOf(acrossPart(minus(a.position, b.position), normalOf(a))) < 0.1 },
];

/** Parts planes by size, pixel size, orientation, and localizers from the rest. */
export function splitByGeometry(planes: PlaneGroup['planes']): readonly PlaneGroup[] {
  return GEOMETRY.reduce<readonly PlaneGroup[]>(
    (groups, criterion) => groups.flatMap((group) => splitBy(criterion, group)),
    [{ planes, partedBy: [] }],
  );
}

/** Groups of planes that are alike with the first of their group, in order of appearance. */
export function splitBy(criterion: Criterion, { planes, partedBy }: PlaneGroup): readonly PlaneGroup[] {
  const groups: [PlacedPlane, ...PlacedPlane[]][] = [];
  for (const plane of planes) {
    const group = groups.length > MOST_GROUPS ? undefined : groups.find(([first]) => criterion.alike(first, plane));
    if (group === undefined) groups.push([plane]);
    else group.push(plane);
  }
  if (groups.length <= 1) return [{ planes, partedBy }];
  return groups.map((group) => ({ planes: group, partedBy: [...partedBy, criterion.name] }));
}

export function isLocalizer({ facts }: PlacedPlane): boolean {
  return facts.imageType.some((value) => value.toUpperCase() === 'LOCALIZER');
}

function byValue(of: (plane: PlacedPlane) => unknown): Criterion['alike'] {
  return (a, b) => of(a) === of(b);
}

function isNear(a: number, b: number): boolean {
  return Math.abs(a - b) <= 1e-3 * Math.max(a, b);
}

function normalOf(plane: PlacedPlane) {
  return cross(plane.rowDirection, plane.columnDirection);
}
