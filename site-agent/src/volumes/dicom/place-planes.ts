import type { FileFault } from './describe-stack.js';
import type { DicomFacts, PixelFacts, PlaneFacts, Point } from './dicom-facts.js';
import { dot, lengthOf } from './patient-space.js';
import { whyPixelsUnsuitable } from './pixel-support.js';
import type { LeftOutFile, PlacedPlane, StackFault } from './series-stack.js';
import { shownPhotometric } from './shown-words.js';
import { mustHoldImage, statedModality } from './stated-modality.js';

/** Direction cosines are decimal text: so far from unit length and a right angle they may be. */
const DIRECTION_TOLERANCE = 0.01;
/** Whatever lies farther from the scanner's centre was not scanned. */
const FARTHEST_MM = 1e5;

export interface PlacedPlanes {
  readonly placed: readonly PlacedPlane[];
  readonly unplaced: readonly FileFault[];
  readonly leftOut: readonly LeftOutFile[];
}

/** Every plane of the files with its place in space; and which files hold no image, or one that cannot be placed. */
export function placePlanes(files: readonly DicomFacts[]): PlacedPlanes {
  const placed: PlacedPlane[] = [];
  const unplaced: FileFault[] = [];
  const leftOut: LeftOutFile[] = [];
  for (const facts of files) {
    const { pixels } = facts;
    if (pixels === undefined && mustHoldImage(facts)) {
      unplaced.push({ facts, fault: 'its pixel data is missing', remedy: 'Export it again; the file seems to be cut short.' });
      continue;
    }
    if (pixels === undefined) {
      leftOut.push({ file: facts.path, reason: `it holds no image (${facts.modality === '' ? 'no modality' : facts.modality})` });
      continue;
    }
    const planes = placeFile(facts, pixels);
    if ('fault' in planes) unplaced.push({ facts, ...planes });
    else placed.push(...planes);
  }
  return { placed, unplaced, leftOut };
}

function placeFile(facts: DicomFacts, pixels: PixelFacts): readonly PlacedPlane[] | StackFault {
  const fault = imageFault(facts, pixels);
  if (fault !== undefined) return fault;
  const planes: PlacedPlane[] = [];
  for (const plane of facts.planes) {
    const placed = placePlane(facts, pixels, plane);
    if ('fault' in placed) return placed;
    planes.push(placed);
  }
  return planes;
}

function imageFault(facts: DicomFacts, pixels: PixelFacts): StackFault | undefined {
  if (statedModality(facts) === 'other') return { fault: `its modality is ${facts.modality}; CT and MR are read` };
  if (pixels.samplesPerPixel !== 1 || !pixels.photometric.startsWith('MONOCHROME')) {
    return { fault: `its pixels are in colour (${shownPhotometric(pixels.photometric)}), not intensities` };
  }
  if (facts.imageType.includes('MOSAIC') && facts.planes.some(({ tile }) => tile === undefined)) {
    return { fault: 'it is a mosaic of slices and does not say of how many' };
  }
  const unsuitable = whyPixelsUnsuitable(facts);
  if (unsuitable !== undefined) return { fault: unsuitable };
  return facts.planes.length === 0 ? { fault: 'it holds no image' } : undefined;
}

function placePlane(facts: DicomFacts, pixels: PixelFacts, plane: PlaneFacts): PlacedPlane | StackFault {
  const { position, rowDirection, columnDirection, spacingMm } = plane;
  if (position === undefined) return missing('position', 'Image Position (Patient)');
  if (rowDirection === undefined || columnDirection === undefined) return missing('orientation', 'Image Orientation (Patient)');
  if (spacingMm === undefined) return missing('pixel size', 'Pixel Spacing');
  if (
    !spacingMm.every((spacing) => spacing > 0 && spacing < FARTHEST_MM) ||
    !position.every((at) => Math.abs(at) < FARTHEST_MM)
  ) {
    return { fault: 'its stated position or pixel size lies outside of any scanner' };
  }
  if (!areDirections(rowDirection, columnDirection)) {
    return { fault: 'its Image Orientation (Patient) does not name two directions at right angles' };
  }
  if (!Number.isFinite(plane.slope) || !Number.isFinite(plane.intercept) || plane.slope === 0) {
    return { fault: `its rescale slope ${plane.slope} and intercept ${plane.intercept} give no values` };
  }
  return {
    ...{ facts, plane, position, spacingMm },
    ...{ rowDirection: unit(rowDirection), columnDirection: unit(columnDirection) },
    ...{ rows: pixels.planeRows, columns: pixels.planeColumns },
  };
}

function missing(what: string, attribute: string): StackFault {
  return {
    fault: `it states no ${what} in the patient (${attribute} is missing)`,
    remedy: 'Export the original images from the scanner or the archive, with their geometry.',
  };
}

function areDirections(row: Point, column: Point): boolean {
  const isUnit = (direction: Point): boolean => Math.abs(lengthOf(direction) - 1) < DIRECTION_TOLERANCE;
  return isUnit(row) && isUnit(column) && Math.abs(dot(row, column)) < DIRECTION_TOLERANCE;
}

function unit(direction: Point): Point {
  const length = lengthOf(direction);
  return [direction[0] / length, direction[1] / length, direction[2] / length];
}
