/**
 * Patches for supervised fine-tuning: a seeded share is centred on labelled voxels, the rest lies anywhere; the task says how
 * much they are augmented. Patch k of a run depends on the seed and k alone, so a resumed run sees the same patches.
 */
import { invariant, Random } from '@consilium/shared/kernel';
import { augmentInPlace, drawAugmentation, FULL_AUGMENTATION } from '../transforms/augment/augmentation.js';
import type { LabelledGrid } from '../transforms/augment/labelled-patch.js';
import { drawMirror } from '../transforms/augment/mirror.js';
import { warpInto } from '../transforms/augment/spatial-warp.js';
import type { BatchSource, PatchBatch, PatchSize } from '../training/patch-batch.js';
import type { LabelledCase } from './labelled-case.js';
import type { FinetuneTraining } from './segmentation-task.js';
import { cutPatch, type WindowStart } from './sliding-window.js';

export interface SamplerPlan {
  readonly patchSizeVoxels: PatchSize;
  /** Outputs of the network: one per class. */
  readonly classes: number;
  readonly training: Pick<FinetuneTraining, 'batchSize' | 'foregroundShare' | 'augmentation' | 'seed'>;
}

/** Cuts the batches of a fine-tuning in the calling thread: a copy of a few hundred kilobytes per patch, far below a step. */
export class PatchSampler implements BatchSource {
  private readonly foreground: readonly (readonly Uint32Array[])[];

  constructor(
    private readonly cases: readonly LabelledCase[],
    private readonly plan: SamplerPlan,
  ) {
    invariant(cases.length > 0, 'a sampler has cases');
    this.foreground = cases.map((labelled) => foregroundVoxels(labelled.classMap, plan.classes));
  }

  async batch(step: number): Promise<PatchBatch> {
    const { patchSizeVoxels: size, classes, training } = this.plan;
    const voxels = size[0] * size[1] * size[2];
    const input = new Float32Array(training.batchSize * voxels);
    const target = new Float32Array(training.batchSize * voxels * classes);
    const classMap = new Uint8Array(voxels);
    for (let patch = 0; patch < training.batchSize; patch++) {
      const place = this.place(step * training.batchSize + patch);
      const intensities = input.subarray(patch * voxels, (patch + 1) * voxels);
      takePatch({ sizeVoxels: size, voxels: intensities, classMap }, place, training.augmentation);
      writeTarget(classMap, classes, target, patch * voxels * classes);
    }
    return { patches: training.batchSize, sizeVoxels: size, input, target };
  }

  async close(): Promise<void> {
    // Nothing to release: the cases belong to the caller.
  }

  /** Which case and where: every pass visits each case once, in an order shuffled by the seed. */
  private place(k: number): PatchPlace {
    const { seed, foregroundShare } = this.plan.training;
    const pass = Math.floor(k / this.cases.length);
    const order = new Random(`finetune/${seed}/order/${pass}`).shuffle(this.cases.map((_, index) => index));
    const index = order[k % this.cases.length] ?? 0;
    const labelled = this.cases[index];
    invariant(labelled !== undefined, 'the order lists cases');
    const random = new Random(`finetune/${seed}/patch/${k}`);
    const wanted = random.chance(foregroundShare) ? drawVoxel(this.foreground[index] ?? [], labelled, random) : undefined;
    return { labelled, start: drawStart(labelled.sizeVoxels, this.plan.patchSizeVoxels, wanted, random), random };
  }
}

interface PatchPlace {
  readonly labelled: LabelledCase;
  readonly start: WindowStart;
  readonly random: Random;
}

/** Cuts or warps a patch out of its case, as the augmentation says. */
function takePatch(
  patch: Required<LabelledGrid>,
  { labelled, start, random }: PatchPlace,
  augmentation: FinetuneTraining['augmentation'],
): void {
  const { intensities: voxels, classMap, sizeVoxels } = labelled;
  const full = augmentation.level === 'full';
  const drawing = full && drawAugmentation({ ...FULL_AUGMENTATION, flipAxes: augmentation.flipAxes }, patch.sizeVoxels, random);
  if (drawing && drawing.spatial) warpInto(patch, drawing.spatial, { sizeVoxels, voxels, classMap }, start);
  else {
    cutPatch(voxels, sizeVoxels, start, patch.sizeVoxels, patch.voxels);
    cutPatch(classMap, sizeVoxels, start, patch.sizeVoxels, patch.classMap);
  }
  if (drawing) augmentInPlace(patch, drawing);
  else if (augmentation.level !== 'none') augmentLightly(patch, augmentation, random);
}

/** Voxel offsets of each class; an absent class has an empty list. */
export function foregroundVoxels(classMap: Uint8Array, classes: number): Uint32Array[] {
  const counts = new Array<number>(classes).fill(0);
  for (const index of classMap) if (index > 0) counts[index - 1] = (counts[index - 1] ?? 0) + 1;
  const lists = counts.map((count) => new Uint32Array(count));
  const filled = new Array<number>(classes).fill(0);
  classMap.forEach((index, voxel) => {
    const list = lists[index - 1];
    if (list === undefined) return;
    const at = filled[index - 1] ?? 0;
    list[at] = voxel;
    filled[index - 1] = at + 1;
  });
  return lists;
}

// A class first, then a voxel, so that a small structure is seen as often as a large one.
function drawVoxel(lists: readonly Uint32Array[], { sizeVoxels }: LabelledCase, random: Random): WindowStart | undefined {
  const present = lists.filter((list) => list.length > 0);
  const list = present[random.integer(0, Math.max(0, present.length - 1))];
  if (list === undefined) return undefined;
  const voxel = list[random.integer(0, list.length - 1)] ?? 0;
  const [, sy, sz] = sizeVoxels;
  return [Math.floor(voxel / (sy * sz)), Math.floor(voxel / sz) % sy, voxel % sz];
}

/** Uniform over the starts that fit; on an axis shorter than the patch, over the starts that contain the whole axis. */
export function drawStart(size: PatchSize, patch: PatchSize, centre: WindowStart | undefined, random: Random): WindowStart {
  const [x, y, z] = [0, 1, 2].map((axis) => {
    const slack = (size[axis] ?? 0) - (patch[axis] ?? 0);
    const [low, high] = [Math.min(0, slack), Math.max(0, slack)];
    const uniform = random.integer(low, high);
    if (centre === undefined || slack <= 0) return uniform;
    return Math.min(high, Math.max(low, (centre[axis] ?? 0) - Math.floor((patch[axis] ?? 0) / 2)));
  });
  return [x ?? 0, y ?? 0, z ?? 0];
}

/** Flips image and labels alike and scales the image, all in place; intensities stay within [0, 1]. */
export function augmentLightly(
  patch: LabelledGrid,
  plan: Pick<FinetuneTraining['augmentation'], 'flipAxes' | 'intensityShift'>,
  random: Random,
): void {
  augmentInPlace(patch, { flips: drawMirror(plan.flipAxes, random) });
  if (plan.intensityShift === 0) return;
  const factor = random.between(1 - plan.intensityShift, 1 + plan.intensityShift);
  const { voxels } = patch;
  for (let i = 0; i < voxels.length; i++) voxels[i] = Math.min(1, (voxels[i] as number) * factor);
}

function writeTarget(classMap: Uint8Array, classes: number, target: Float32Array, offset: number): void {
  for (let voxel = 0; voxel < classMap.length; voxel++) {
    const index = classMap[voxel] as number;
    if (index > 0) target[offset + voxel * classes + index - 1] = 1;
  }
}
