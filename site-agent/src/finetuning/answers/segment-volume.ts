/** Whole volumes by sliding window within bounded memory: classes are taken in as many passes as the memory asks for. */
import { memoryLimit } from '../../trainer/memory-limit.js';
import type { PatchSize } from '../../training/patch-batch.js';
import { onOwnGrid, type NetworkImage } from '../cases/prepare-image.js';
import { predictVolume } from './sliding-window.js';
import type { Segmenter } from './segmenter.js';
import type { WindowPlan } from './window-plan.js';

/** What the sums of one pass may always take, for small volumes: a class of 256 × 256 × 256 voxels. */
const LEAST_PASS_BYTES = 2 ** 26;
/** Of the memory that is left, where that is more. */
const PASS_SHARE = 0.25;
/**
 * Of each voxel, besides the sums: its intensity 4, its label 1 on either grid, the chosen class 1 and its probability 4, one class's
 * probabilities taken out of the sums 4 and brought to the own grid 4.
 */
const BYTES_BESIDE_SUMS = 4 + 2 * 1 + 1 + 4 + 4 + 4;
const BYTES_PER_SUM = 4;

/** What the sums of one pass may take, the site's own limit of the process considered; one class is always taken. */
export function passBytes(limitBytes: number | undefined): number {
  return Math.max(LEAST_PASS_BYTES, PASS_SHARE * (memoryLimit(limitBytes).bytes - process.memoryUsage.rss()));
}

/** The least that answering for a whole volume of so many voxels takes: one class at a time. */
export function leastVolumeBytes(voxels: number): number {
  return voxels * (BYTES_BESIDE_SUMS + BYTES_PER_SUM);
}

export interface VolumePlan {
  readonly patchSizeVoxels: PatchSize;
  readonly classes: number;
  readonly windows: WindowPlan;
  readonly mostPassBytes: number;
  /** Waited for after each window, with the share of the volume's work that is done; what it throws ends the work. */
  readonly pause?: ((share: number) => Promise<void>) | undefined;
}

/**
 * The class of each voxel of the image's own grid, 0 for none: the most probable among the classes above one half. `look` sees
 * the probabilities of each class on that grid, one class after the other, before they are let go. One window per call: batch
 * norm uses the statistics of its batch, and a voxel's answer must not depend on which other windows shared one. The result is
 * the same for any number of passes, each of which predicts all windows again.
 */
export async function segmentVolume(
  segmenter: Segmenter,
  image: NetworkImage,
  { patchSizeVoxels: patch, classes, windows, mostPassBytes, pause }: VolumePlan,
  look: (classIndex: number, probabilities: Float32Array) => Promise<void> | void = () => undefined,
): Promise<Uint8Array> {
  const { intensities, fromOwn } = image;
  const atOnce = Math.max(1, Math.min(classes, Math.floor(mostPassBytes / (BYTES_PER_SUM * intensities.length))));
  let chosen: { readonly map: Uint8Array; readonly best: Float32Array } | undefined;
  for (let from = 0; from < classes; from += atOnce) {
    const range = { outputs: classes, from, to: Math.min(classes, from + atOnce) };
    const predict = (input: Float32Array): Float32Array => segmenter.predict(input, 1, patch);
    const inAll = pause && ((share: number) => pause((from + share * (range.to - from)) / classes));
    const answers = await predictVolume(image, { patch, range, windows, pause: inAll }, predict);
    for (let index = range.from; index < range.to; index++) {
      const own = onOwnGrid(channelOf(answers, index - range.from, range.to - range.from), fromOwn, 1);
      chosen ??= { map: new Uint8Array(own.length), best: new Float32Array(own.length).fill(0.5) };
      keepBest(chosen, own, index + 1);
      await look(index, own);
    }
  }
  return chosen?.map ?? new Uint8Array();
}

function keepBest({ map, best }: { map: Uint8Array; best: Float32Array }, probabilities: Float32Array, value: number): void {
  for (let voxel = 0; voxel < map.length; voxel++) {
    const probability = probabilities[voxel] as number;
    if (probability <= (best[voxel] as number)) continue;
    best[voxel] = probability;
    map[voxel] = value;
  }
}

function channelOf(answers: Float32Array, channel: number, channels: number): Float32Array {
  if (channels === 1) return answers;
  const values = new Float32Array(answers.length / channels);
  for (let voxel = 0; voxel < values.length; voxel++) values[voxel] = answers[voxel * channels + channel] as number;
  return values;
}
