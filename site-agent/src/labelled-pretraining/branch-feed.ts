import { required } from '@consilium/shared/kernel';
import type { KeptCase } from '../finetuning/cases/kept-case.js';
import { openExampleFeed } from '../finetuning/example-feed.js';
import type { ReaderPool } from '../preprocessing/patch-cache/reader-pool.js';
import type { BatchSource, PatchBatch } from '../training/patch-batch.js';
import { BranchSampler, type BranchWork } from './branch-sampler.js';
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

/** The batches of all collections in turn. */
export interface BranchFeed extends BatchSource {
  batch(step: number): Promise<BranchBatch>;
}

/** @param threads of TensorFlow; all cores when left out. Close it when done; the cases belong to the caller. */
export function openBranchFeed(
  loaded: readonly LoadedCollection[],
  turns: readonly Turn[],
  { patchSizeVoxels, training }: Pick<LabelledRecipe, 'patchSizeVoxels' | 'training'>,
  threads: number | undefined,
): BranchFeed {
  const collections = loaded.map(({ collection, train }) => {
    return { cases: train.map(({ handle }) => handle), classes: collection.classes.length };
  });
  const work: BranchWork = { collections, turns, plan: { patchSizeVoxels, training } };
  const entry = new URL('./branch-thread.js', import.meta.url);
  const open = (readers: ReaderPool): BranchSampler => new BranchSampler(work, readers);
  const shape = { sizeVoxels: patchSizeVoxels, batchSize: training.batchSize };
  const feed = openExampleFeed({ entry, work, open, ...shape }, threads);
  return {
    async batch(step) {
      const of = loaded[required(turns[step], 'the turn of a step').collection];
      const branch = required(of, 'the collection of a turn').collection.name;
      return { ...(await feed.batch(step)), branch };
    },
    close: () => feed.close(),
  };
}
