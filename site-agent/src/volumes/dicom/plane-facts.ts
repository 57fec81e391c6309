import type { DicomAttributes } from './dicom-attributes.js';
import type { PlaneFacts, Point } from './dicom-facts.js';
import { TAG } from './dicom-tags.js';

/** What a file says of one plane, before it is checked. */
export interface StatedPlace {
  readonly position: readonly number[];
  readonly orientation: readonly number[];
  readonly spacing: readonly number[];
  readonly slope: number | undefined;
  readonly intercept: number | undefined;
}

/** What the attributes of a classic single-frame object say. */
export function placeOfObject(attributes: DicomAttributes): StatedPlace {
  const spacing = attributes.numbers(TAG.pixelSpacing);
  return {
    position: attributes.numbers(TAG.imagePosition),
    orientation: attributes.numbers(TAG.imageOrientation),
    spacing: spacing.length >= 2 ? spacing : attributes.numbers(TAG.imagerPixelSpacing),
    slope: attributes.number(TAG.rescaleSlope),
    intercept: attributes.number(TAG.rescaleIntercept),
  };
}

export function readPlane(frame: number, stated: StatedPlace): PlaneFacts {
  const [betweenRows = 0, betweenColumns = 0] = stated.spacing;
  return {
    frame,
    position: pointOf(stated.position),
    rowDirection: unitOf(pointOf(stated.orientation.slice(0, 3))),
    columnDirection: unitOf(pointOf(stated.orientation.slice(3, 6))),
    spacingMm: betweenRows > 0 && betweenColumns > 0 ? [betweenRows, betweenColumns] : undefined,
    slope: stated.slope === undefined || stated.slope === 0 ? 1 : stated.slope,
    intercept: stated.intercept ?? 0,
  };
}

function pointOf([x, y, z]: readonly number[]): Point | undefined {
  return x === undefined || y === undefined || z === undefined ? undefined : [x, y, z];
}

/** Files state directions with few digits, so their length is only near 1; far from it they are no directions. */
function unitOf(direction: Point | undefined): Point | undefined {
  if (direction === undefined) return undefined;
  const length = Math.hypot(...direction);
  return length > 0.9 && length < 1.1 ? [direction[0] / length, direction[1] / length, direction[2] / length] : undefined;
}
