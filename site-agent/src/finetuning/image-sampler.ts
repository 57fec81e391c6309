/**
 * Batches for a classifier: cases in turn, or classes in turn and then their cases, so that a rare class is seen as often as
 * a common one. Input k of a run depends on the seed and k alone, so a resumed run sees the same inputs.
 */
import { invariant, Random } from '@consilium/shared/kernel';
import type { PatchSize } from '../training/patch-batch.js';
import { takePatch } from './augmented-patch.js';
import type { ClassifierTraining } from './tasks/classification-task.js';
import { sourceInMemory } from './cases/kept-case.js';
import type { ExamplePlace, ExampleWriter } from './example-writer.js';
import type { LabelledImage } from './cases/load-images.js';

export interface ImageSamplerPlan {
  readonly patchSizeVoxels: PatchSize;
  readonly training: Pick<ClassifierTraining, 'batchSize' | 'balance' | 'augmentation' | 'seed'>;
}

/** Targets are class numbers, one per example, which is also the target of one sigmoid output for the second of two classes. */
export class ImageSampler implements ExampleWriter {
  readonly targetsPerExample = 1;
  /** Images by class, or all in one list: the lists are drawn from in turn. */
  private readonly lists: readonly (readonly LabelledImage[])[];
  private readonly orders = new Map<string, readonly number[]>();

  constructor(
    images: readonly LabelledImage[],
    private readonly plan: ImageSamplerPlan,
  ) {
    invariant(images.length > 0, 'a sampler has images');
    const classes = [...new Set(images.map(({ classIndex }) => classIndex))].sort((a, b) => a - b);
    const byClass = classes.map((wanted) => images.filter(({ classIndex }) => classIndex === wanted));
    this.lists = plan.training.balance === 'classes' ? byClass : [images];
  }

  write(k: number, { input, target }: ExamplePlace): void {
    const { patchSizeVoxels: sizeVoxels, training } = this.plan;
    const image = this.imageInTurn(k);
    const source = sourceInMemory({ sizeVoxels: image.sizeVoxels, voxels: image.intensities });
    const random = new Random(`finetune/${training.seed}/image/${k}`);
    takePatch({ sizeVoxels, voxels: input }, source, image.start, { plan: training.augmentation, random });
    target[0] = image.classIndex;
  }

  private imageInTurn(k: number): LabelledImage {
    const round = Math.floor(k / this.lists.length);
    const list = this.lists[this.orderOf('lists', this.lists.length, round)[k % this.lists.length] ?? 0] ?? [];
    const pass = Math.floor(round / list.length);
    const image = list[this.orderOf(`images/${list[0]?.classIndex}`, list.length, pass)[round % list.length] ?? 0];
    invariant(image !== undefined, 'the order lists images');
    return image;
  }

  /** A shuffled order of one pass; the newest of each kind is kept. */
  private orderOf(kind: string, length: number, pass: number): readonly number[] {
    const name = `finetune/${this.plan.training.seed}/${kind}/${pass}`;
    const known = this.orders.get(name);
    if (known !== undefined) return known;
    for (const other of this.orders.keys()) if (other.includes(`/${kind}/`)) this.orders.delete(other);
    const order = new Random(name).shuffle(Array.from({ length }, (_, index) => index));
    this.orders.set(name, order);
    return order;
  }
}
