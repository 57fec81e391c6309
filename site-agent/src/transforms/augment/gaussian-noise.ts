import { Random } from '@consilium/shared/kernel';
import { fillNormal } from '@consilium/shared/models';
import type { PatchSize } from '../../training/patch-batch.js';
import { type Patch, requireProbability, type Transform } from '../transform.js';
import { type Bounds, requireBounds } from './labelled-patch.js';

export interface GaussianNoiseParameters {
  readonly probability: number;
  /** Of the noise, in units of intensity. */
  readonly deviation: Bounds;
}

export interface GaussianNoiseDrawing {
  readonly deviation: number;
  readonly seed: string;
}

/** Adds independent normally distributed noise to every voxel. */
export const gaussianNoise: Transform<GaussianNoiseParameters, GaussianNoiseDrawing | undefined> = {
  name: 'gaussian-noise',

  draw({ probability, deviation }: GaussianNoiseParameters, _size: PatchSize, random: Random): GaussianNoiseDrawing | undefined {
    requireProbability('noiseProbability', probability);
    requireBounds('noiseDeviation', deviation, 0, 1000);
    if (!random.chance(probability)) return undefined;
    return { deviation: random.between(...deviation), seed: `${random.seed}/gaussian-noise` };
  },

  apply(drawing: GaussianNoiseDrawing | undefined, patch: Patch): Patch {
    if (drawing === undefined) return patch;
    const voxels = fillNormal(new Float32Array(patch.voxels.length), new Random(drawing.seed), drawing.deviation);
    for (let i = 0; i < voxels.length; i++) voxels[i] = (voxels[i] as number) + (patch.voxels[i] as number);
    return { sizeVoxels: patch.sizeVoxels, voxels };
  },
};
