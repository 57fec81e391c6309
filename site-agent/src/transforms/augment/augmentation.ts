/**
 * The ordinary augmentations of supervised training, in nnU-Net's order and about its probabilities (Isensee et al., Nature
 * Methods 2021), for intensities in 0…1: warp and flip image and labels, then noise, blur, brightness, contrast, low
 * resolution and gamma on the image alone, cut to 0…1 in the end.
 */
import type { Random } from '@consilium/shared/kernel';
import type { PatchSize } from '../../training/patch-batch.js';
import { type Axis } from '../flip.js';
import { type Patch } from '../transform.js';
import { brightnessContrast, type BrightnessContrastDrawing, type BrightnessContrastParameters } from './brightness-contrast.js';
import { gamma, type GammaDrawing, type GammaParameters } from './gamma.js';
import { gaussianBlur, type GaussianBlurDrawing, type GaussianBlurParameters } from './gaussian-blur.js';
import { gaussianNoise, type GaussianNoiseDrawing, type GaussianNoiseParameters } from './gaussian-noise.js';
import type { LabelledGrid } from './labelled-patch.js';
import { lowResolution, type LowResolutionDrawing, type LowResolutionParameters } from './low-resolution.js';
import { drawMirror, mirrorInPlace } from './mirror.js';
import { drawSpatial, type SpatialDrawing, type SpatialParameters, warpInto } from './spatial-warp.js';

export interface AugmentationParameters {
  readonly spatial: SpatialParameters;
  /** Each is mirrored in half of the patches. */
  readonly flipAxes: readonly Axis[];
  readonly noise: GaussianNoiseParameters;
  readonly blur: GaussianBlurParameters;
  readonly brightnessContrast: BrightnessContrastParameters;
  readonly lowResolution: LowResolutionParameters;
  readonly gamma: GammaParameters;
}

/** Everything random about one augmented patch, as plain data: as JSON it replays to the same bits. */
export interface AugmentationDrawing {
  readonly spatial?: SpatialDrawing | undefined;
  readonly flips: readonly Axis[];
  readonly noise?: GaussianNoiseDrawing | undefined;
  readonly blur?: GaussianBlurDrawing | undefined;
  readonly brightnessContrast?: BrightnessContrastDrawing | undefined;
  readonly lowResolution?: LowResolutionDrawing | undefined;
  readonly gamma?: GammaDrawing | undefined;
}

/** nnU-Net's ranges, with noise for intensities in 0…1 and less turning out of the axial plane, where voxels are thicker. */
export const FULL_AUGMENTATION: AugmentationParameters = {
  spatial: {
    rotationProbability: 0.2,
    rotationDegrees: [10, 10, 30],
    scaleProbability: 0.2,
    scale: [0.7, 1.4],
    elasticProbability: 0.1,
    elasticSpacingVoxels: 16,
    elasticDeviationVoxels: [1, 4],
  },
  flipAxes: ['x', 'y', 'z'],
  noise: { probability: 0.1, deviation: [0, 0.05] },
  blur: { probability: 0.2, deviationVoxels: [0.5, 1] },
  brightnessContrast: {
    brightnessProbability: 0.15,
    brightness: [0.75, 1.25],
    contrastProbability: 0.15,
    contrast: [0.75, 1.25],
  },
  lowResolution: { probability: 0.25, zoom: [0.5, 1] },
  gamma: { probability: 0.37, exponent: [0.7, 1.5], invertedShare: 0.25 },
};

/** Draws everything at once; ARGUMENT_INVALID names a parameter that is out of range. */
export function drawAugmentation(parameters: AugmentationParameters, sizeVoxels: PatchSize, random: Random): AugmentationDrawing {
  return {
    spatial: drawSpatial(parameters.spatial, random),
    flips: drawMirror(parameters.flipAxes, random),
    noise: gaussianNoise.draw(parameters.noise, sizeVoxels, random),
    blur: gaussianBlur.draw(parameters.blur, sizeVoxels, random),
    brightnessContrast: brightnessContrast.draw(parameters.brightnessContrast, sizeVoxels, random),
    lowResolution: lowResolution.draw(parameters.lowResolution, sizeVoxels, random),
    gamma: gamma.draw(parameters.gamma, sizeVoxels, random),
  };
}

/** The augmented copy of a patch and its labels; what is turned in from beyond the patch is 0, and background. */
export function applyAugmentation(drawing: AugmentationDrawing, patch: LabelledGrid): LabelledGrid {
  const { sizeVoxels, classMap } = patch;
  const augmented = { sizeVoxels, voxels: patch.voxels.slice(), classMap: classMap?.slice() };
  if (drawing.spatial) warpInto(augmented, drawing.spatial, patch);
  augmentInPlace(augmented, drawing);
  return augmented;
}

/** Everything but the warp, for who has warped the patch out of its volume already. */
export function augmentInPlace(patch: LabelledGrid, drawing: AugmentationDrawing): void {
  for (const axis of drawing.flips) {
    mirrorInPlace(patch.voxels, patch.sizeVoxels, axis);
    if (patch.classMap) mirrorInPlace(patch.classMap, patch.sizeVoxels, axis);
  }
  const { voxels } = augmentIntensities(drawing, patch);
  if (voxels === patch.voxels) return;
  for (let i = 0; i < voxels.length; i++) patch.voxels[i] = Math.min(1, Math.max(0, voxels[i] as number));
}

function augmentIntensities(drawing: AugmentationDrawing, patch: Patch): Patch {
  const noisy = gaussianNoise.apply(drawing.noise, patch);
  const blurred = gaussianBlur.apply(drawing.blur, noisy);
  const lit = brightnessContrast.apply(drawing.brightnessContrast, blurred);
  return gamma.apply(drawing.gamma, lowResolution.apply(drawing.lowResolution, lit));
}
