/**
 * Local pixel shuffling of Models Genesis (Zhou et al., MedIA 2021; public code "v2"): many small windows, each permuted
 * within itself. Every window is read from the undistorted patch, later ones overwrite earlier ones. 10,000 windows touch
 * 82 % of a 64×64×32 patch.
 */
import { Random } from '@consilium/shared/kernel';
import type { PatchSize } from '../training/patch-batch.js';
import { type Patch, requireCount, requireProbability, type Transform } from './transform.js';

export interface LocalShuffleParameters {
  readonly probability: number;
  readonly blocks: number;
}

export interface LocalShuffleDrawing {
  readonly blocks: number;
  /** Names the stream of windows and permutations. */
  readonly seed: string;
}

/** A window's longest side is the patch side divided by this, at least 1. */
const SIDE_DIVISOR = 10;

export const localShuffle: Transform<LocalShuffleParameters, LocalShuffleDrawing> = {
  name: 'local-shuffle',

  draw({ probability, blocks }: LocalShuffleParameters, _size: PatchSize, random: Random): LocalShuffleDrawing {
    requireProbability('shuffleProbability', probability);
    requireCount('shuffleBlocks', blocks);
    return { blocks: random.chance(probability) ? blocks : 0, seed: `${random.seed}/local-shuffle` };
  },

  apply({ blocks, seed }: LocalShuffleDrawing, patch: Patch): Patch {
    if (blocks === 0) return patch;
    const voxels = Float32Array.from(patch.voxels);
    const random = new Random(seed);
    const sides = patch.sizeVoxels.map((side) => Math.max(1, Math.floor(side / SIDE_DIVISOR)));
    const longest = [sides[0] ?? 1, sides[1] ?? 1, sides[2] ?? 1] as const;
    const window = new Float32Array(longest[0] * longest[1] * longest[2]);
    for (let block = 0; block < blocks; block++) shuffleOne(patch, voxels, window, longest, random);
    return { sizeVoxels: patch.sizeVoxels, voxels };
  },
};

/** A uniform integer in [0, count); `count` is far below 2³², so the bias of the scaled draw is below 10⁻⁴. */
function below(count: number, random: Random): number {
  return Math.floor((random.uint32() / 4294967296) * count);
}

function shuffleOne(source: Patch, target: Float32Array, window: Float32Array, longest: PatchSize, random: Random): void {
  const [nx, ny, nz] = source.sizeVoxels;
  const sx = 1 + below(longest[0], random);
  const sy = 1 + below(longest[1], random);
  const sz = 1 + below(longest[2], random);
  const origin = (below(nx - sx + 1, random) * ny + below(ny - sy + 1, random)) * nz + below(nz - sz + 1, random);
  let count = 0;
  for (let x = 0; x < sx; x++) {
    for (let y = 0; y < sy; y++) {
      const run = origin + (x * ny + y) * nz;
      for (let z = 0; z < sz; z++) window[count++] = source.voxels[run + z] as number;
    }
  }
  for (let x = 0; x < sx; x++) {
    for (let y = 0; y < sy; y++) {
      const run = origin + (x * ny + y) * nz;
      // Fisher–Yates while writing: one of the values not yet taken, the last one fills its place.
      for (let z = 0; z < sz; z++) {
        const taken = below(count, random);
        target[run + z] = window[taken] as number;
        window[taken] = window[--count] as number;
      }
    }
  }
}
