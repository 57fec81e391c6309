/**
 * Local pixel shuffling of Models Genesis (Zhou et al., MedIA 2021; public code "v2"): many small windows, each permuted
 * within itself. Every window is read from the undistorted patch and overwrites the others where they overlap. 10,000
 * windows touch 82 % of a 64×64×32 patch.
 *
 * Windows are drawn last one first: a voxel belongs to the first window that reaches it, and what later ones would write
 * there is never drawn. The distribution is the published one, for the windows are drawn alike and independently.
 */
import { Random } from '@consilium/shared/kernel';
import type { PatchSize } from '../training/patch-batch.js';
import { ScratchSpace } from './scratch-space.js';
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

// Of its own name, for a test runner's sandbox looks Math up anew, and slowly, each time.
const { imul } = Math;

/** A window's longest side is the patch side divided by this, at least 1. */
const SIDE_DIVISOR = 10;

/** Random words that are made at once. */
const WORDS_AHEAD = 4096;

/** From windows up to this size two voxels are drawn from one word: the bias stays below 256² / 2³² = 1.5 · 10⁻⁵. */
const PAIRED_DRAWS = 256;

export const localShuffle: Transform<LocalShuffleParameters, LocalShuffleDrawing> = {
  name: 'local-shuffle',

  draw({ probability, blocks }: LocalShuffleParameters, _size: PatchSize, random: Random): LocalShuffleDrawing {
    requireProbability('shuffleProbability', probability);
    requireCount('shuffleBlocks', blocks);
    return { blocks: random.chance(probability) ? blocks : 0, seed: `${random.seed}/local-shuffle` };
  },

  apply(drawing: LocalShuffleDrawing, patch: Patch): Patch {
    if (drawing.blocks === 0) return patch;
    const voxels = new Float32Array(patch.voxels.length);
    shuffleInto(voxels, drawing, patch);
    return { sizeVoxels: patch.sizeVoxels, voxels };
  },
};

const writtenSpace = new ScratchSpace(Uint8Array);
const valuesSpace = new ScratchSpace(Float32Array);
const placesSpace = new ScratchSpace(Int32Array);
const wordsSpace = new ScratchSpace(Uint32Array);

/** Writes the shuffled patch into as many voxels, not the patch's own; returns how many of them lie in a window. */
export function shuffleInto(target: Float32Array, { blocks, seed }: LocalShuffleDrawing, patch: Patch): number {
  const { voxels: source, sizeVoxels } = patch;
  const [nx, ny, nz] = sizeVoxels;
  const [lx, ly, lz] = longestSides(sizeVoxels);
  const [most, random] = [lx * ly * lz, new Random(seed)];
  const words = wordsSpace.take(Math.max(WORDS_AHEAD, 2 + most));
  const written = writtenSpace.take(source.length).fill(0);
  const [values, places] = [valuesSpace.take(most), placesSpace.take(most)];
  target.set(source);
  let [next, touched] = [words.length, 0];
  for (let block = 0; block < blocks; block++) {
    if (next + 2 + most > words.length) {
      random.fillUint32(words);
      next = 0;
    }
    // Sides and z come from one word, x and y from another: what a draw leaves of a word is the next one's word.
    let word = words[next++] as number;
    const sx = 1 + scaled(word, lx);
    word = imul(word, lx);
    const sy = 1 + scaled(word, ly);
    word = imul(word, ly);
    const sz = 1 + scaled(word, lz);
    const z = scaled(imul(word, lz), nz - sz + 1);
    word = words[next++] as number;
    const x = scaled(word, nx - sx + 1);
    const y = scaled(imul(word, nx - sx + 1), ny - sy + 1);
    let [count, free] = [0, 0];
    for (let row = 0; row < sx; row++) {
      for (let column = 0; column < sy; column++) {
        const run = ((x + row) * ny + y + column) * nz + z;
        for (let voxel = run; voxel < run + sz; voxel++) {
          values[count++] = source[voxel] as number;
          places[free] = voxel;
          free += 1 - (written[voxel] as number);
          written[voxel] = 1;
        }
      }
    }
    next = scatter(target, values, count, places, free, words, next);
    touched += free;
  }
  return touched;
}

/**
 * Gives each of the free places one of the window's values that is not yet taken (Fisher–Yates, as far as it is needed).
 * Returns where the next unused word lies.
 */
export function scatter(
  target: Float32Array,
  values: Float32Array,
  count: number,
  places: Int32Array,
  free: number,
  words: Uint32Array,
  next: number,
): number {
  const paired = count <= PAIRED_DRAWS ? 1 : 0;
  let word = 0;
  for (let place = 0; place < free; place++, count--) {
    word = (place & paired) === 0 ? (words[next++] as number) : imul(word, count + 1);
    const taken = scaled(word, count);
    target[places[place] as number] = values[taken] as number;
    values[taken] = values[count - 1] as number;
  }
  return next;
}

/** A uniform integer in [0, count) from a uniform 32-bit word: its product's upper half. `count` is below 65,536. */
function scaled(word: number, count: number): number {
  return ((word >>> 16) * count + (((word & 0xffff) * count) >>> 16)) >>> 16;
}

/** The sides of the largest window. */
export function longestSides(sizeVoxels: PatchSize): [number, number, number] {
  const longest = (side: number): number => Math.max(1, Math.floor(side / SIDE_DIVISOR));
  return [longest(sizeVoxels[0]), longest(sizeVoxels[1]), longest(sizeVoxels[2])];
}
