import { orientationName, rasLayout, reorientAffine, spacingOf } from '../orientation.js';
import type { ScanGeometry, ScanHeader } from '../scan-header.js';
import type { Arrangement } from './arrange-planes.js';
import type { DicomFacts } from './dicom-facts.js';
import type { PlacedPlane, ReadableStack, RefusedStack, StackFault, StackGrid } from './series-stack.js';
import { isLocalizer, type PlaneGroup } from './split-stacks.js';
import { statedModality } from './stated-modality.js';

/** A refused file, and why. */
export interface FileFault extends StackFault {
  readonly facts: DicomFacts;
}

/** The stack that arranged planes form: `reported` where a person should know something, with all such reasons in one line. */
export function describeStack(group: PlaneGroup, arranged: Arrangement, copies: number): ReadableStack {
  const { grid, frames, toldApartBy } = arranged;
  const { facts } = group.planes[0];
  const reasons = reasonsToReport(group, arranged, copies);
  const told = toldApartBy === undefined ? [] : [`${frames.length} volumes, told apart by ${toldApartBy}`];
  return {
    ...describeReasons(reasons),
    header: { ...statedFacts(facts), geometry: geometryOf(grid, frames.length), remarks: [...reasons, ...told] },
    grid,
    frames,
    files: filesOf(group.planes).map(({ path }) => path),
  };
}

/** The files of planes that form no volume. */
export function refusePlanes(planes: readonly PlacedPlane[], fault: StackFault): readonly RefusedStack[] {
  return refuseFiles(filesOf(planes).map((facts) => ({ facts, ...fault })));
}

/** Refused files as stacks, one for each reason, so that a person reads each reason once. */
export function refuseFiles(faults: readonly FileFault[]): readonly RefusedStack[] {
  const byReason = new Map<string, FileFault[]>();
  for (const fault of faults) {
    const same = byReason.get(fault.fault);
    if (same === undefined) byReason.set(fault.fault, [fault]);
    else same.push(fault);
  }
  return [...byReason.entries()].map(([reason, same]) => ({
    status: 'refused',
    reason,
    remedy: same[0]?.remedy,
    ...statedFacts(same[0]?.facts),
    files: same.map(({ facts }) => facts.path),
  }));
}

function describeReasons(reasons: readonly string[]): Pick<ReadableStack, 'status' | 'reason'> {
  return reasons.length === 0 ? { status: 'ok', reason: undefined } : { status: 'reported', reason: reasons.join('; ') };
}

function reasonsToReport(group: PlaneGroup, arranged: Arrangement, copies: number): readonly string[] {
  const partedBy = group.partedBy.filter((name) => name !== 'localizer');
  const [first] = group.planes;
  const { facts } = first;
  return [
    ...(isLocalizer(first) ? ['it is a localizer'] : []),
    ...(partedBy.length > 0
      ? [`its series holds several volumes, told apart by ${partedBy.join(' and ')}; this is one of them`]
      : []),
    ...presence(arranged.remark),
    ...presence(pairReason(arranged)),
    ...presence(tiltReason(facts)),
    ...(statedModality(facts) === 'MR' && facts.pixels?.photometric === 'MONOCHROME1'
      ? ['it is meant to be shown inverted (MONOCHROME1); its values are read as they are stored']
      : []),
    ...(copies > 0 ? [`${copies} of its files ${copies === 1 ? 'is a copy' : 'are copies'} of others and left out`] : []),
  ];
}

/**
 * Two slices are even whatever lies between them. That they are neighbours is proved by the header's Spacing Between Slices,
 * or by several frames that show the same two places: a lost slice would have to be lost from every one of them.
 */
export function pairReason({ slots, frames }: Arrangement): string | undefined {
  const [low, high] = slots;
  if (slots.length !== 2 || frames.length > 1 || low === undefined || high === undefined) return undefined;
  const gapMm = high.heightMm - low.heightMm;
  const stated = Math.abs(low.planes[0]?.facts.spacingBetweenSlicesMm ?? 0);
  if (stated === 0) return 'it has only 2 slices, too few to prove an even spacing';
  if (Math.abs(stated - gapMm) <= Math.max(0.01, 0.01 * gapMm)) return undefined;
  return `it has only 2 slices, ${Number(gapMm.toFixed(3))} mm apart, where its header states ${stated} mm between slices`;
}

/** The planes are known to climb straight here, so a stated tilt was either removed or is missing from the orientation. */
function tiltReason({ gantryTilt }: DicomFacts): string | undefined {
  if (gantryTilt === undefined || Math.abs(gantryTilt) < 0.5) return undefined;
  return `its header states a gantry tilt of ${Math.abs(gantryTilt)}°, but its slices lie straight above each other`;
}

function geometryOf({ affine, sizeVoxels, orientation }: StackGrid, frames: number): ScanGeometry {
  const ras = reorientAffine(affine, orientation, sizeVoxels);
  return {
    sizeVoxels: rasLayout(sizeVoxels, orientation).sizeVoxels,
    spacingMm: spacingOf(ras),
    affine: ras,
    orientation: orientationName(orientation),
    frames,
  };
}

function statedFacts(facts: DicomFacts | undefined): Pick<ScanHeader, 'modality' | 'bodyPart'> {
  const modality = facts === undefined ? undefined : statedModality(facts);
  return { modality: modality === 'other' ? undefined : modality, bodyPart: facts?.bodyPart?.toUpperCase() };
}

/** The files of planes, each once. */
function filesOf(planes: readonly PlacedPlane[]): readonly DicomFacts[] {
  return [...new Set(planes.map(({ facts }) => facts))];
}

function presence(reason: string | undefined): readonly string[] {
  return reason === undefined ? [] : [reason];
}
