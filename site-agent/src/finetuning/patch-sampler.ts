/**
 * Patches for supervised fine-tuning: a seeded share is centred on labelled voxels, the rest lies anywhere; the task says how
 * much they are augmented. Patch k of a run depends on the seed and k alone, so a resumed run sees the same patches.
 */
import { invariant, Random } from '@consilium/shared/kernel';
import type { BatchSource, PatchBatch, PatchSize } from '../training/patch-batch.js';
import { takePatch } from './augmented-patch.js';
import type { LabelledCase } from './labelled-case.js';
import type { FinetuneTraining } from './segmentation-task.js';
import type { WindowStart } from './sliding-window.js';

export interface SamplerPlan {
  readonly patchSizeVoxels: PatchSize;
  /** Outputs of the network: one per class. */
  readonly classes: number;
  readonly training: Pick<FinetuneTraining, 'batchSize' | 'foregroundShare' | 'balance' | 'augmentation' | 'seed'>;
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
    const targets = new Float32Array(training.batchSize * voxels * classes);
    const classMap = new Uint8Array(voxels);
    for (let patch = 0; patch < training.batchSize; patch++) {
      const { labelled, start, random } = this.place(step * training.batchSize + patch);
      const target = { sizeVoxels: size, voxels: input.subarray(patch * voxels, (patch + 1) * voxels), classMap };
      const source = { sizeVoxels: labelled.sizeVoxels, voxels: labelled.intensities, classMap: labelled.classMap };
      takePatch(target, source, start, { plan: training.augmentation, random });
      writeTarget(classMap, classes, targets, patch * voxels * classes);
    }
    return { patches: training.batchSize, sizeVoxels: size, input, target: targets };
  }

  async close(): Promise<void> {
    // Nothing to release: the cases belong to the caller.
  }

  /** Patches anywhere go through the cases in turn; those on a class too, unless each class is to be seen as often. */
  private place(k: number): PatchPlace {
    const { seed, foregroundShare, balance } = this.plan.training;
    const random = new Random(`finetune/${seed}/patch/${k}`);
    const onLabel = random.chance(foregroundShare);
    const chosen = onLabel && balance === 'classes' ? this.drawClass(random) : undefined;
    const index = chosen?.index ?? this.caseInTurn(k);
    const labelled = this.cases[index];
    invariant(labelled !== undefined, 'the order lists cases');
    const lists = chosen === undefined ? (this.foreground[index] ?? []) : [chosen.voxels];
    const wanted = onLabel ? drawVoxel(lists, labelled, random) : undefined;
    return { labelled, start: drawStart(labelled.sizeVoxels, this.plan.patchSizeVoxels, wanted, random), random };
  }

  /** Every pass visits each case once, in an order shuffled by the seed. */
  private caseInTurn(k: number): number {
    const pass = Math.floor(k / this.cases.length);
    const order = new Random(`finetune/${this.plan.training.seed}/order/${pass}`).shuffle(this.cases.map((_, index) => index));
    return order[k % this.cases.length] ?? 0;
  }

  /** A class, each as likely, then a case that has it: a class that few cases have is seen as often as the others. */
  private drawClass(random: Random): { readonly index: number; readonly voxels: Uint32Array } | undefined {
    const occurring = Array.from({ length: this.plan.classes }, (_, wanted) =>
      this.foreground.flatMap((lists, index) => {
        const voxels = lists[wanted];
        return voxels === undefined || voxels.length === 0 ? [] : [{ index, voxels }];
      }),
    ).filter((holders) => holders.length > 0);
    const holders = occurring[random.integer(0, Math.max(0, occurring.length - 1))] ?? [];
    return holders[random.integer(0, Math.max(0, holders.length - 1))];
  }
}

interface PatchPlace {
  readonly labelled: LabelledCase;
  readonly start: WindowStart;
  readonly random: Random;
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

function writeTarget(classMap: Uint8Array, classes: number, target: Float32Array, offset: number): void {
  for (let voxel = 0; voxel < classMap.length; voxel++) {
    const index = classMap[voxel] as number;
    if (index > 0) target[offset + voxel * classes + index - 1] = 1;
  }
}
