/** Brightness (times a factor) and contrast (away from or towards the mean, within the patch's own extent), as in nnU-Net. */
import type { Random } from '@consilium/shared/kernel';
import type { PatchSize } from '../../training/patch-batch.js';
import { type Patch, requireProbability, type Transform } from '../transform.js';
import { type Bounds, drawFactor, requireBounds } from './labelled-patch.js';
import { extentOf, meanOf } from './patch-statistics.js';

const { max, min } = Math;

export interface BrightnessContrastParameters {
  readonly brightnessProbability: number;
  readonly brightness: Bounds;
  readonly contrastProbability: number;
  readonly contrast: Bounds;
}

/** Factors; one that is left out does not apply. Brightness comes first. */
export interface BrightnessContrastDrawing {
  readonly brightness?: number | undefined;
  readonly contrast?: number | undefined;
}

export const brightnessContrast: Transform<BrightnessContrastParameters, BrightnessContrastDrawing | undefined> = {
  name: 'brightness-contrast',

  draw(parameters: BrightnessContrastParameters, _size: PatchSize, random: Random): BrightnessContrastDrawing | undefined {
    requireProbability('brightnessProbability', parameters.brightnessProbability);
    requireProbability('contrastProbability', parameters.contrastProbability);
    requireBounds('brightness', parameters.brightness, 0, 10);
    requireBounds('contrast', parameters.contrast, 0, 10);
    const bright = random.chance(parameters.brightnessProbability)
      ? { brightness: drawFactor(parameters.brightness, random) }
      : {};
    const contrast = random.chance(parameters.contrastProbability) ? { contrast: drawFactor(parameters.contrast, random) } : {};
    const drawing = { ...bright, ...contrast };
    return Object.keys(drawing).length === 0 ? undefined : drawing;
  },

  apply(drawing: BrightnessContrastDrawing | undefined, patch: Patch): Patch {
    if (drawing === undefined) return patch;
    const { brightness = 1, contrast } = drawing;
    const voxels = new Float32Array(patch.voxels.length);
    for (let i = 0; i < voxels.length; i++) voxels[i] = (patch.voxels[i] as number) * brightness;
    if (contrast !== undefined) stretch(voxels, contrast);
    return { sizeVoxels: patch.sizeVoxels, voxels };
  },
};

function stretch(voxels: Float32Array, factor: number): void {
  const mean = meanOf(voxels);
  const { low, high } = extentOf(voxels);
  for (let i = 0; i < voxels.length; i++) {
    voxels[i] = min(high, max(low, mean + ((voxels[i] as number) - mean) * factor));
  }
}
