/**
 * Models Genesis (Zhou et al., MICCAI 2019; MedIA 2021): restore a patch from a distorted copy of itself.
 * The loss is the mean squared error over all voxels.
 */
import type { Random } from '@consilium/shared/kernel';
import type { GenesisTransforms } from '@consilium/shared/wire';
import type { PatchSize } from '../training/patch-batch.js';
import { applyGenesis, drawGenesis } from '../transforms/compose.js';

/** What the network sees and what it should answer; may share memory with the patch they were made from. */
export interface TrainingPair {
  readonly input: Float32Array;
  readonly target: Float32Array;
}

/**
 * Makes one pair from a clean patch (row-major [x][y][z], 0…1), which is not changed; the input is written to `into` if given.
 */
export function makeGenesisPair(
  patch: Float32Array,
  size: PatchSize,
  transforms: GenesisTransforms,
  random: Random,
  into?: Float32Array,
): TrainingPair {
  const drawing = drawGenesis(transforms, size, random);
  const { input, target } = applyGenesis(drawing, { sizeVoxels: size, voxels: patch }, into);
  return { input: input.voxels, target: target.voxels };
}
