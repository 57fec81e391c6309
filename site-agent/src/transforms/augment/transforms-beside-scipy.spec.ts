import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT_ROOT } from '../../../../test/fixtures/reference-shelf.js';
import type { PatchSize } from '../../training/patch-batch.js';
import { type IntensityCurve, nonlinearIntensity } from '../nonlinear-intensity.js';
import { brightnessContrast, type BrightnessContrastDrawing } from './brightness-contrast.js';
import { ElasticField, gridLength } from './elastic-field.js';
import { gamma, type GammaDrawing } from './gamma.js';
import { gaussianBlur, type GaussianBlurDrawing } from './gaussian-blur.js';
import { lowResolution, type LowResolutionDrawing } from './low-resolution.js';
import { sampleWarped, warpMatrix } from './spatial-warp.js';

interface Warp {
  readonly degrees?: PatchSize;
  readonly scale?: number;
  readonly elastic?: readonly [spacing: number, deviation: number];
  readonly origin?: PatchSize;
  readonly size?: PatchSize;
  readonly image: readonly number[];
  readonly labels: string;
}

type Imaged<Drawing> = readonly (Drawing & { readonly image: readonly number[] })[];

/** By NumPy and SciPy: make-goldens.py beside it. */
const goldens = JSON.parse(readFileSync(join(PROJECT_ROOT, 'test/fixtures/transform-goldens/goldens.json'), 'utf8')) as Readonly<{
  size: PatchSize;
  curves: readonly (IntensityCurve & { readonly mapped: readonly number[] })[];
  warps: readonly Warp[];
  gamma: Imaged<GammaDrawing>;
  blur: Imaged<GaussianBlurDrawing>;
  brightnessContrast: Imaged<BrightnessContrastDrawing>;
  lowResolution: Imaged<LowResolutionDrawing>;
}>;

/** The same values as the script makes, by Knuth's multiplicative hash. */
function spread(count: number, first = 1): number[] {
  return Array.from({ length: count }, (_, index) => (Math.imul(index + first, 2654435761) >>> 0) / 2 ** 32);
}

const SIZE = goldens.size;
const ORIGIN: PatchSize = [0, 0, 0];
const COUNT = SIZE[0] * SIZE[1] * SIZE[2];
const PATCH = { sizeVoxels: SIZE, voxels: Float32Array.from(spread(COUNT)) };
const LABELS = Uint8Array.from(spread(COUNT, 1000), (value) => Math.floor(value * 4));

function largestDifference(found: ArrayLike<number>, expected: readonly number[]): number {
  expect(found.length).toBe(expected.length);
  return Math.max(...expected.map((value, index) => Math.abs(value - (found[index] ?? NaN))));
}

function madeField([spacing, deviation]: readonly [number, number], size: PatchSize): ElasticField {
  const count = size.reduce((product, side) => product * gridLength(side, spacing), 3);
  const vectors = Float32Array.from(spread(count, 5000), (value) => (value - 0.5) * 2 * deviation);
  return new ElasticField(vectors, spacing, size);
}

describe('transforms beside NumPy and SciPy, within 1e-4', () => {
  it('map intensities as the published 100,000 points do', () => {
    const grid = { sizeVoxels: [1, 1, 65] as const, voxels: Float32Array.from({ length: 65 }, (_, index) => index / 64) };
    for (const { mapped, ...drawing } of goldens.curves) {
      expect(largestDifference(nonlinearIntensity.apply(drawing, grid).voxels, mapped)).toBeLessThan(1e-4);
    }
  });

  it('turn, scale and deform image and labels, out of a patch or a volume around it', () => {
    for (const { degrees, scale, elastic, origin = ORIGIN, size = SIZE, image, labels } of goldens.warps) {
      const target = { sizeVoxels: size, voxels: new Float32Array(image.length), classMap: new Uint8Array(image.length) };
      const field = elastic && madeField(elastic, size);
      sampleWarped(target, warpMatrix({ rotationDegrees: degrees, scale }), field, { ...PATCH, classMap: LABELS }, origin);
      expect(largestDifference(target.voxels, image)).toBeLessThan(1e-4);
      expect(target.classMap.join('')).toBe(labels);
    }
  });

  it('bend by gamma', () => {
    for (const { image, ...drawing } of goldens.gamma) {
      expect(largestDifference(gamma.apply(drawing, PATCH).voxels, image)).toBeLessThan(1e-4);
    }
  });

  it('blur, though the kernel be longer than the patch', () => {
    for (const { image, ...drawing } of goldens.blur) {
      expect(largestDifference(gaussianBlur.apply(drawing, PATCH).voxels, image)).toBeLessThan(1e-4);
    }
  });

  it('change brightness and contrast', () => {
    for (const { image, ...drawing } of goldens.brightnessContrast) {
      expect(largestDifference(brightnessContrast.apply(drawing, PATCH).voxels, image)).toBeLessThan(1e-4);
    }
  });

  it('lose resolution', () => {
    for (const { image, ...drawing } of goldens.lowResolution) {
      expect(largestDifference(lowResolution.apply(drawing, PATCH).voxels, image)).toBeLessThan(1e-4);
    }
  });
});
