import { required } from '@consilium/shared/kernel';
import { type CaseHandle, openCase } from '../finetuning/cases/kept-case.js';
import type { ExamplePlace, ExampleWriter } from '../finetuning/example-writer.js';
import { PatchSampler } from '../finetuning/patch-sampler.js';
import { ReaderPool } from '../preprocessing/patch-cache/reader-pool.js';
import { voxelsOf } from '../training/batch-passes.js';
import type { Turn } from './draw-turns.js';
import type { LabelledRecipe } from './labelled-recipe.js';

/** What the batches of several collections are made of: plain data and shared memory, so that threads can be given it. */
export interface BranchWork {
  readonly collections: readonly BranchCases[];
  readonly turns: readonly Turn[];
  readonly plan: Pick<LabelledRecipe, 'patchSizeVoxels' | 'training'>;
}

export interface BranchCases {
  readonly cases: readonly CaseHandle[];
  readonly classes: number;
}

/**
 * Patches of the collection whose turn a step is, with class numbers as their target, 0 for background. Each collection's own
 * patches depend on the seed and its turns so far alone, whatever the others do between.
 */
export class BranchSampler implements ExampleWriter {
  readonly targetsPerExample: number;
  private readonly samplers: readonly PatchSampler[];
  private readonly turns: readonly Turn[];
  private readonly batchSize: number;

  /** Readers of files are opened as they are needed and stay open as long as the thread, or until `readers` is closed. */
  constructor({ collections, turns, plan: { patchSizeVoxels, training } }: BranchWork, readers = new ReaderPool()) {
    // The recipe's own balance is that of the collections; within one, its cases take turns.
    const sampling = { ...training, balance: 'cases' } as const;
    this.samplers = collections.map(({ cases, classes }) => {
      const opened = cases.map((handle) => openCase(handle, readers));
      return new PatchSampler(opened, { patchSizeVoxels, classes, training: sampling });
    });
    this.turns = turns;
    this.batchSize = training.batchSize;
    this.targetsPerExample = voxelsOf(patchSizeVoxels);
  }

  write(k: number, { input, target }: ExamplePlace): void {
    const turn = this.turns[Math.floor(k / this.batchSize)];
    if (turn === undefined) return; // threads that make ahead come past the last step, whose batch nobody asks for
    const sampler = required(this.samplers[turn.collection], 'the collection of a turn');
    target.set(sampler.cut(turn.place * this.batchSize + (k % this.batchSize), input));
  }
}
