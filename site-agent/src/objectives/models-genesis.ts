/**
 * Models Genesis (Zhou et al., MICCAI 2019; MedIA 2021): restore a patch from a distorted copy of itself.
 * The loss is the mean squared error over all voxels.
 */
import type { Random } from '@consilium/shared/kernel';
import type { PatchSize } from '../training/patch-batch.js';
import { applyGenesis, drawGenesis, type GenesisParameters } from '../transforms/compose.js';
import { treatmentsOf } from '../transforms/treated-voxels.js';

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
  transforms: GenesisParameters,
  random: Random,
  into?: Float32Array,
): TrainingPair {
  const drawing = drawGenesis(transforms, size, random);
  const { input, target } = applyGenesis(drawing, { sizeVoxels: size, voxels: patch }, into);
  return { input: input.voxels, target: target.voxels };
}

/** A pair with what was done to each of its voxels, as positions in `VOXEL_TREATMENTS`. */
export interface ExplainedPair extends TrainingPair {
  readonly treatments: Uint8Array;
}

/** As {@link makeGenesisPair}, to the same bits; slower, for the patches of a probe. */
export function makeExplainedPair(
  patch: Float32Array,
  size: PatchSize,
  transforms: GenesisParameters,
  random: Random,
): ExplainedPair {
  const drawing = drawGenesis(transforms, size, random);
  const { input, target } = applyGenesis(drawing, { sizeVoxels: size, voxels: patch });
  return { input: input.voxels, target: target.voxels, treatments: treatmentsOf(drawing, size) };
}
