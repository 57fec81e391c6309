import { invariant } from '@consilium/shared/kernel';
import type { KeptCase } from '../finetuning/cases/kept-case.js';
import { makeBatch } from '../finetuning/example-writer.js';
import { PatchSampler } from '../finetuning/patch-sampler.js';
import type { BatchSource, PatchBatch, PatchSize } from '../training/patch-batch.js';
import type { Turn } from './draw-turns.js';
import type { LabelledCollection, LabelledRecipe } from './labelled-recipe.js';

/** A batch whose patches are all of one collection; the target holds class numbers, 0 for background. */
export interface BranchBatch extends PatchBatch {
  readonly branch: string;
}

/** A collection with its cases. */
export interface LoadedCollection {
  readonly collection: LabelledCollection;
  readonly train: readonly KeptCase[];
  readonly validation: readonly KeptCase[];
}

/** The batches of all collections in turn; each one's own batches depend on the seed and its turns so far alone. */
export class BranchBatches implements BatchSource {
  private readonly samplers: readonly PatchSampler[];
  private readonly batchSize: number;
  private readonly sizeVoxels: PatchSize;

  constructor(
    private readonly loaded: readonly LoadedCollection[],
    private readonly turns: readonly Turn[],
    { patchSizeVoxels, training }: Pick<LabelledRecipe, 'patchSizeVoxels' | 'training'>,
  ) {
    // The recipe's own balance is that of the collections; within one, its cases take turns.
    const sampling = { ...training, balance: 'cases' } as const;
    this.batchSize = training.batchSize;
    this.sizeVoxels = patchSizeVoxels;
    this.samplers = loaded.map(
      ({ collection, train }) =>
        new PatchSampler(train, { patchSizeVoxels, classes: collection.classes.length, training: sampling }),
    );
  }

  async batch(step: number): Promise<BranchBatch> {
    const turn = this.turns[step];
    const sampler = turn && this.samplers[turn.collection];
    const of = turn && this.loaded[turn.collection];
    invariant(turn !== undefined && sampler !== undefined && of !== undefined, 'each step is the turn of a collection');
    const { target, ...batch } = makeBatch(sampler, turn.place, this.batchSize, this.sizeVoxels);
    return { ...batch, branch: of.collection.name, target: toClassNumbers(target, of.collection.classes.length) };
  }

  async close(): Promise<void> {
    // Nothing to release: the cases belong to the caller.
  }
}

/** From one 0-or-1 value per class and voxel (class fastest) to the number of the class, counted from 1. */
export function toClassNumbers(target: Float32Array, classes: number): Float32Array {
  const numbers = new Float32Array(target.length / classes);
  for (let at = 0; at < target.length; at++) {
    if (target[at] === 1) numbers[Math.floor(at / classes)] = (at % classes) + 1;
  }
  return numbers;
}
