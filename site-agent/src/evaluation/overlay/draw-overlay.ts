/** Pictures of a case for people who judge it: three slices through the structure, with the outlines of label and prediction. */
import { encode } from 'fast-png';
import { displayWindow, VIEWS } from '../../collection/report/thumbnail.js';
import { describeIntensities } from '../../volumes/intensity-statistics.js';
import type { Modality, Triple, Volume } from '../../volumes/volume.js';
import { drawScaleBar, markDirections, type Picture } from './mark-view.js';
import { type ShownRegion, shownRegion } from './shown-region.js';

/** Values 0 for none, class index + 1 elsewhere, in the volume's layout. */
export interface OverlayMaps {
  readonly predicted: Uint8Array;
  readonly labelled: Uint8Array | undefined;
}

type Colour = readonly [red: number, green: number, blue: number];

/** Told apart by people who see no red or no green, too. Stated wherever pictures are. */
export const OVERLAY_COLOURS = { labelled: [0, 190, 255], predicted: [255, 140, 0], both: [255, 255, 255] } as const;
export const OVERLAY_LEGEND =
  'Sagittal, coronal and axial slice through the middle of the structure, in true proportions. Outlines: label blue, prediction ' +
  "orange, white where they coincide. The patient's right (R) is on the viewer's left, the head (H) is up; the front (A) is on the left " +
  'of the sagittal and above in the axial slice. The bar holds for all three slices.';

/** Of the longest side that is shown. */
const SIDE_PIXELS = 320;
/** What is left of the light of pixels beside an outline, which would not be seen on bright tissue without. */
const SHADE = 0.4;
const GAP_PIXELS = 4;

/** A colour PNG of some tens of kilobytes. CT is shown in a soft-tissue window, MR between its outer percentiles. */
export function drawOverlay(volume: Volume, modality: Modality | undefined, maps: OverlayMaps): Uint8Array {
  const region = shownRegion(
    volume,
    maps.labelled?.some((value) => value !== 0) === true ? [maps.labelled, maps.predicted] : [maps.predicted],
  );
  const window = displayWindow(modality, describeIntensities(volume.voxels));
  const pixelsPerMm = SIDE_PIXELS / Math.max(...extentMm(region, volume));
  const pictures = VIEWS.map((view) => {
    const picture = drawView(volume, maps, { view, region, window, pixelsPerMm });
    const [, along, down] = view;
    markDirections(picture, along === 1 ? 'A' : 'R', down === 1 ? 'A' : 'H');
    return picture;
  });
  if (pictures[0] !== undefined) drawScaleBar(pictures[0], pixelsPerMm);
  return encodeRow(pictures);
}

interface ShownView {
  readonly view: (typeof VIEWS)[number];
  readonly region: ShownRegion;
  readonly window: readonly [low: number, high: number];
  readonly pixelsPerMm: number;
}

function extentMm(region: ShownRegion, { spacingMm }: Volume): Triple {
  const [x, y, z] = region.sizeVoxels;
  return [x * spacingMm[0], y * spacingMm[1], z * spacingMm[2]];
}

function drawView(volume: Volume, maps: OverlayMaps, { view, region, window, pixelsPerMm }: ShownView): Picture {
  const { sizeVoxels, voxels } = volume;
  const [fixed, along, down] = view;
  const strides: Triple = [sizeVoxels[1] * sizeVoxels[2], sizeVoxels[2], 1];
  const extent = extentMm(region, volume);
  const pixelsOf = (axis: 0 | 1 | 2): number => Math.max(1, Math.round(extent[axis] * pixelsPerMm));
  const [width, height] = [pixelsOf(along), pixelsOf(down)];
  // Every axis is drawn against its RAS direction.
  const voxelAt = (pixel: number, pixels: number, axis: 0 | 1 | 2): number =>
    region.from[axis] + region.sizeVoxels[axis] - 1 - Math.floor(((pixel + 0.5) * region.sizeVoxels[axis]) / pixels);
  const indices = new Int32Array(width * height);
  for (let row = 0; row < height; row++) {
    const line = region.centre[fixed] * strides[fixed] + voxelAt(row, height, down) * strides[down];
    for (let column = 0; column < width; column++) {
      indices[row * width + column] = line + voxelAt(column, width, along) * strides[along];
    }
  }
  const pixels = new Uint8Array(3 * indices.length);
  const [low, high] = window;
  const scale = high > low ? 255 / (high - low) : 0;
  indices.forEach((voxel, pixel) => pixels.fill(clampByte(((voxels[voxel] as number) - low) * scale), 3 * pixel, 3 * pixel + 3));
  const outlineIn = (map: Uint8Array | undefined): Uint8Array => outline(indices, map, width, height);
  const outlines = { labelled: outlineIn(maps.labelled), predicted: outlineIn(maps.predicted) };
  shadeBeside(pixels, width, outlines);
  paintOutlines(pixels, outlines);
  return { width, height, pixels };
}

function clampByte(value: number): number {
  return value >= 255 ? 255 : value > 0 ? Math.round(value) : 0;
}

/** Pixels of a class beside a pixel of another class or of none; the picture's edge is no border. */
function outline(indices: Int32Array, map: Uint8Array | undefined, width: number, height: number): Uint8Array {
  const isEdge = new Uint8Array(indices.length);
  if (map === undefined) return isEdge;
  const classAt = (pixel: number): number => map[indices[pixel] as number] as number;
  for (let pixel = 0; pixel < indices.length; pixel++) {
    const own = classAt(pixel);
    if (own === 0) continue;
    const [column, row] = [pixel % width, Math.floor(pixel / width)];
    const differs =
      (column > 0 && classAt(pixel - 1) !== own) ||
      (column < width - 1 && classAt(pixel + 1) !== own) ||
      (row > 0 && classAt(pixel - width) !== own) ||
      (row < height - 1 && classAt(pixel + width) !== own);
    if (differs) isEdge[pixel] = 1;
  }
  return isEdge;
}

/** 1 where a picture's pixel is of an outline. */
interface Outlines {
  readonly labelled: Uint8Array;
  readonly predicted: Uint8Array;
}

/** Darkens the four neighbours of every pixel of an outline; outlines themselves are painted afterwards. */
function shadeBeside(pixels: Uint8Array, width: number, { labelled, predicted }: Outlines): void {
  const isOutline = (pixel: number): boolean => labelled[pixel] === 1 || predicted[pixel] === 1;
  for (let pixel = 0; pixel < labelled.length; pixel++) {
    const column = pixel % width;
    const isBeside =
      (column > 0 && isOutline(pixel - 1)) ||
      (column < width - 1 && isOutline(pixel + 1)) ||
      isOutline(pixel - width) ||
      isOutline(pixel + width);
    if (isBeside) pixels.fill(SHADE * (pixels[3 * pixel] as number), 3 * pixel, 3 * pixel + 3);
  }
}

function paintOutlines(pixels: Uint8Array, { labelled, predicted }: Outlines): void {
  const { both, labelled: ofLabel, predicted: ofPrediction } = OVERLAY_COLOURS;
  for (let pixel = 0; pixel < labelled.length; pixel++) {
    const [given, found] = [labelled[pixel] === 1, predicted[pixel] === 1];
    if (!given && !found) continue;
    const colour: Colour = given && found ? both : given ? ofLabel : ofPrediction;
    pixels.set(colour, 3 * pixel);
  }
}

/** Side by side on black, centred upwards and downwards. */
function encodeRow(pictures: readonly Picture[]): Uint8Array {
  const width = pictures.reduce((sum, picture) => sum + picture.width, GAP_PIXELS * (pictures.length - 1));
  const height = Math.max(...pictures.map((picture) => picture.height));
  const data = new Uint8Array(3 * width * height);
  let left = 0;
  for (const picture of pictures) {
    const top = Math.floor((height - picture.height) / 2);
    for (let row = 0; row < picture.height; row++) {
      const line = picture.pixels.subarray(3 * row * picture.width, 3 * (row + 1) * picture.width);
      data.set(line, 3 * ((top + row) * width + left));
    }
    left += picture.width + GAP_PIXELS;
  }
  return encode({ width, height, data, depth: 8, channels: 3 }, { zlib: { level: 9 } });
}
