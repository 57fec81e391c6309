import { encode } from 'fast-png';
import { describeIntensities, type IntensityStatistics } from '../../volumes/intensity-statistics.js';
import type { Modality, Triple, Volume } from '../../volumes/volume.js';
import { type PicturePlane, placeSideBySide, resizeByArea } from './picture-plane.js';

/** The longest side of a volume takes this many pixels. */
export const THUMBNAIL_SIDE_PIXELS = 96;
/** How the planes are shown; stated wherever thumbnails are. */
export const THUMBNAIL_LEGEND =
  "Middle sagittal, coronal and axial plane. The patient's right is on the viewer's left, the head is up; " +
  'in the sagittal plane the patient looks to the left, in the axial plane upwards.';

/** Hounsfield units of the usual soft-tissue window: level 40, width 400. */
const SOFT_TISSUE_HU = [-160, 240] as const;
const GAP_PIXELS = 2;
/** Noise swells a file: the first number of grey levels is taken that fits, else the last. */
const GREY_LEVELS = [48, 32, 20] as const;
const MOST_BYTES = 12_000;

type Axis = 0 | 1 | 2;
/** Fixed axis, the axis along rows and the one along columns; every axis is drawn against its RAS direction. */
export const VIEWS: readonly (readonly [fixed: Axis, along: Axis, down: Axis])[] = [
  [0, 1, 2], // sagittal: front on the left, head up
  [1, 0, 2], // coronal: right on the left, head up
  [2, 0, 1], // axial: right on the left, front up
];

/**
 * A greyscale PNG of a few kilobytes with the three middle planes side by side, in true proportions whatever the spacing.
 * CT is shown in the soft-tissue window; MR, and what is not in Hounsfield units, between percentiles 0.5 and 99.5 of its
 * non-zero values. `statistics` saves measuring them again.
 */
export function makeThumbnail(volume: Volume, modality: Modality | undefined, statistics?: IntensityStatistics): Uint8Array {
  const window = displayWindow(modality, statistics ?? describeIntensities(volume.voxels));
  const pixelsPerMm = THUMBNAIL_SIDE_PIXELS / Math.max(...extentMm(volume));
  const planes = VIEWS.map(([fixed, along, down]) => {
    const pixels = (axis: Axis): number => Math.round(extentMm(volume)[axis] * pixelsPerMm) || 1;
    return resizeByArea(middlePlane(volume, [fixed, along, down], window), pixels(along), pixels(down));
  });
  return encodeGrey(placeSideBySide(planes, GAP_PIXELS));
}

/** The intensities that become black and white: soft tissue of CT, else percentiles 0.5 and 99.5 of the non-zero values. */
export function displayWindow(modality: Modality | undefined, values: IntensityStatistics): readonly [low: number, high: number] {
  const isHounsfield = modality === 'CT' && values.minimum < SOFT_TISSUE_HU[0];
  return isHounsfield ? SOFT_TISSUE_HU : [values.lowPercentile, values.highPercentile];
}

function extentMm({ sizeVoxels, spacingMm }: Volume): Triple {
  return [sizeVoxels[0] * spacingMm[0], sizeVoxels[1] * spacingMm[1], sizeVoxels[2] * spacingMm[2]];
}

function middlePlane(
  { sizeVoxels, voxels }: Volume,
  [fixed, along, down]: readonly [Axis, Axis, Axis],
  [low, high]: readonly [number, number],
): PicturePlane {
  const strides: Triple = [sizeVoxels[1] * sizeVoxels[2], sizeVoxels[2], 1];
  const width = sizeVoxels[along];
  const height = sizeVoxels[down];
  const values = new Float32Array(width * height);
  const start = Math.floor(sizeVoxels[fixed] / 2) * strides[fixed];
  const scale = high > low ? 1 / (high - low) : 0;
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const at = start + (width - 1 - column) * strides[along] + (height - 1 - row) * strides[down];
      const scaled = ((voxels[at] as number) - low) * scale;
      values[row * width + column] = scaled > 1 ? 1 : scaled > 0 ? scaled : 0;
    }
  }
  return { width, height, values };
}

function encodeGrey(plane: PicturePlane): Uint8Array {
  let png = new Uint8Array();
  for (const levels of GREY_LEVELS) {
    png = encodeLevels(plane, levels);
    if (png.length <= MOST_BYTES) break;
  }
  return png;
}

function encodeLevels({ width, height, values }: PicturePlane, levels: number): Uint8Array<ArrayBuffer> {
  const highest = levels - 1;
  const data = Uint8Array.from(values, (value) => Math.round((Math.round(value * highest) * 255) / highest));
  return encode({ width, height, data, depth: 8, channels: 1 }, { zlib: { level: 9 } }) as Uint8Array<ArrayBuffer>;
}
