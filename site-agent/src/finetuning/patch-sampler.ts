/**
 * Patches for supervised fine-tuning: a seeded share is centred on labelled voxels, the rest lies anywhere; the task says how
 * much they are augmented. Patch k of a run depends on the seed and k alone, so a resumed run sees the same patches.
 */
import { invariant, Random } from '@consilium/shared/kernel';
import { voxelsOf } from '../training/batch-passes.js';
import type { PatchSize } from '../training/patch-batch.js';
import { takePatch } from './augmented-patch.js';
import { type KeptCase, voxelOfClass } from './cases/kept-case.js';
import type { ExamplePlace, ExampleWriter } from './example-writer.js';
import type { FinetuneTraining } from './tasks/segmentation-task.js';
import type { WindowStart } from './cases/cut-patch.js';

export interface SamplerPlan {
  readonly patchSizeVoxels: PatchSize;
  /** Outputs of the network: one per class. */
  readonly classes: number;
  readonly training: Pick<FinetuneTraining, 'batchSize' | 'foregroundShare' | 'balance' | 'augmentation' | 'seed'>;
}

/** Cuts patches and writes one target per class: 1 where the voxel is labelled so. */
export class PatchSampler implements ExampleWriter {
  readonly targetsPerExample: number;
  /** For each class the cases that have it. */
  private readonly holders: readonly (readonly number[])[];

  constructor(
    private readonly cases: readonly KeptCase[],
    private readonly plan: SamplerPlan,
  ) {
    invariant(cases.length > 0, 'a sampler has cases');
    this.targetsPerExample = voxelsOf(plan.patchSizeVoxels) * plan.classes;
    this.holders = Array.from({ length: plan.classes }, (_, wanted) =>
      [...cases.keys()].filter((index) => (cases[index]?.planes.total(wanted) ?? 0) > 0),
    );
  }

  write(k: number, { input, target }: ExamplePlace): void {
    writeTarget(this.cut(k, input), this.plan.classes, target);
  }

  /** Writes the voxels of patch k alone; returns their class numbers, 0 for background. */
  cut(k: number, input: Float32Array): Uint8Array {
    const { patchSizeVoxels: sizeVoxels, training } = this.plan;
    const { kept, start, random } = this.place(k);
    const classMap = new Uint8Array(input.length);
    takePatch({ sizeVoxels, voxels: input, classMap }, kept, start, { plan: training.augmentation, random });
    return classMap;
  }

  /** Patches anywhere go through the cases in turn; those on a class too, unless each class is to be seen as often. */
  private place(k: number): PatchPlace {
    const { seed, foregroundShare, balance } = this.plan.training;
    const random = new Random(`finetune/${seed}/patch/${k}`);
    const onLabel = random.chance(foregroundShare);
    const chosen = onLabel && balance === 'classes' ? this.drawClass(random) : undefined;
    const index = chosen?.index ?? this.caseInTurn(k);
    const kept = this.cases[index];
    invariant(kept !== undefined, 'the order lists cases');
    const classes = chosen === undefined ? kept.planes.present() : [chosen.wanted];
    const centre = onLabel ? drawVoxel(classes, kept, random) : undefined;
    return { kept, start: drawStart(kept.sizeVoxels, this.plan.patchSizeVoxels, centre, random), random };
  }

  /** Every pass visits each case once, in an order shuffled by the seed. */
  private caseInTurn(k: number): number {
    const pass = Math.floor(k / this.cases.length);
    const order = new Random(`finetune/${this.plan.training.seed}/order/${pass}`).shuffle(this.cases.map((_, index) => index));
    return order[k % this.cases.length] ?? 0;
  }

  /** A class, each as likely, then a case that has it: a class that few cases have is seen as often as the others. */
  private drawClass(random: Random): { readonly index: number; readonly wanted: number } | undefined {
    const occurring = this.holders.flatMap((indices, wanted) => (indices.length > 0 ? [{ indices, wanted }] : []));
    const { indices, wanted } = occurring[random.integer(0, Math.max(0, occurring.length - 1))] ?? { indices: [], wanted: 0 };
    const index = indices[random.integer(0, Math.max(0, indices.length - 1))];
    return index === undefined ? undefined : { index, wanted };
  }
}

interface PatchPlace {
  readonly kept: KeptCase;
  readonly start: WindowStart;
  readonly random: Random;
}

// A class first, then a voxel, so that a small structure is seen as often as a large one.
function drawVoxel(classes: readonly number[], kept: KeptCase, random: Random): WindowStart | undefined {
  const wanted = classes[random.integer(0, Math.max(0, classes.length - 1))];
  if (wanted === undefined) return undefined;
  return voxelOfClass(kept, wanted, random.integer(0, kept.planes.total(wanted) - 1));
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

function writeTarget(classMap: Uint8Array, classes: number, target: Float32Array): void {
  target.fill(0);
  for (let voxel = 0; voxel < classMap.length; voxel++) {
    const index = classMap[voxel] as number;
    if (index > 0) target[voxel * classes + index - 1] = 1;
  }
}
