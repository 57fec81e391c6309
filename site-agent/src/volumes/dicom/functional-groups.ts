import type { DicomAttributes } from './dicom-attributes.js';
import type { PlaneFacts } from './dicom-facts.js';
import { readPlane } from './plane-facts.js';
import { TAG } from './dicom-tags.js';

/** Dimensions that only say where a frame lies in its stack. */
const POSITION_DIMENSIONS: ReadonlySet<number> = new Set([TAG.inStackPosition, TAG.imagePosition]);

/** The functional groups of one frame: its own first, then those that all frames share. */
class FrameGroups {
  constructor(
    private readonly own: DicomAttributes | undefined,
    private readonly shared: DicomAttributes | undefined,
  ) {}

  /** The first item of a macro's sequence. */
  macro(sequence: number): DicomAttributes | undefined {
    return this.own?.items(sequence, 1)[0] ?? this.shared?.items(sequence, 1)[0];
  }
}

/** One plane for each frame of an enhanced multi-frame object (PS3.3 section C.7.6.16). */
export function enhancedPlanes(attributes: DicomAttributes, frames: number): PlaneFacts[] {
  const shared = attributes.items(TAG.sharedFunctionalGroups, 1)[0];
  const perFrame = attributes.items(TAG.perFrameFunctionalGroups, frames);
  const pointers = attributes.items(TAG.dimensionIndexSequence).map((item) => item.number(TAG.dimensionIndexPointer));
  return Array.from({ length: frames }, (_, frame) => {
    const groups = new FrameGroups(perFrame[frame], shared);
    return { ...readPlane(frame, placeOf(groups, attributes)), dimensionKey: dimensionKey(groups, pointers) };
  });
}

/** What the shared groups say of echo time and diffusion. */
export function sharedMacro(attributes: DicomAttributes, sequence: number): DicomAttributes | undefined {
  return new FrameGroups(undefined, attributes.items(TAG.sharedFunctionalGroups, 1)[0]).macro(sequence);
}

function placeOf(groups: FrameGroups, attributes: DicomAttributes) {
  const transformation = groups.macro(TAG.pixelValueTransformationSequence) ?? attributes;
  return {
    position: groups.macro(TAG.planePositionSequence)?.numbers(TAG.imagePosition) ?? [],
    orientation: groups.macro(TAG.planeOrientationSequence)?.numbers(TAG.imageOrientation) ?? [],
    spacing: groups.macro(TAG.pixelMeasuresSequence)?.numbers(TAG.pixelSpacing) ?? [],
    slope: transformation.number(TAG.rescaleSlope),
    intercept: transformation.number(TAG.rescaleIntercept),
  };
}

/** Text that sorts as the indices do; without a dimension organisation, what usually tells volumes of a series apart. */
function dimensionKey(groups: FrameGroups, pointers: readonly (number | undefined)[]): string {
  const content = groups.macro(TAG.frameContentSequence);
  const indices = content?.numbers(TAG.dimensionIndexValues) ?? [];
  const telling = indices.filter((_, index) => !POSITION_DIMENSIONS.has(pointers[index] ?? -1));
  if (pointers.length > 0 && pointers.length === indices.length) return telling.map(sortable).join('.');
  const time = content?.number(TAG.temporalPositionIndex);
  const echo = groups.macro(TAG.mrEchoSequence)?.number(TAG.effectiveEchoTime);
  const diffusion = groups.macro(TAG.mrDiffusionSequence)?.number(TAG.bValue);
  return [time, echo, diffusion].map((value) => sortable(value ?? 0)).join('.');
}

function sortable(value: number): string {
  return value.toFixed(3).padStart(16, '0');
}
