/** The batches of a fine-tuning: made by threads ahead of the steps, or between them; the same bytes either way. */
import { ReaderPool } from '../preprocessing/patch-cache/reader-pool.js';
import { batchThreadsFor, mostBatchThreadsFor, SLOTS, usefulThreads } from '../training/batch-feed.js';
import type { BatchSource, PatchBatch } from '../training/patch-batch.js';
import { ThreadedFeed } from '../training/threaded-feed.js';
import { type CaseHandle, openCase } from './cases/kept-case.js';
import type { LabelledImage } from './cases/load-images.js';
import { type ExampleWriter, makeBatch } from './example-writer.js';
import { ImageSampler, type ImageSamplerPlan } from './image-sampler.js';
import { PatchSampler, type SamplerPlan } from './patch-sampler.js';

/** What examples are made of: plain data and shared memory, so that threads can be given it. */
export type ExampleWork =
  | { readonly kind: 'patches'; readonly cases: readonly CaseHandle[]; readonly plan: SamplerPlan }
  | { readonly kind: 'images'; readonly images: readonly LabelledImage[]; readonly plan: ImageSamplerPlan };

/** Threads load compiled code; under a test runner that runs the sources there is none. */
const IS_COMPILED = import.meta.url.endsWith('.js');

/** Readers of files are opened as they are needed and stay open as long as the thread, or until `readers` is closed. */
export function openWriter(work: ExampleWork, readers = new ReaderPool()): ExampleWriter {
  if (work.kind === 'images') return new ImageSampler(work.images, work.plan);
  const cases = work.cases.map((handle) => openCase(handle, readers));
  return new PatchSampler(cases, work.plan);
}

/**
 * @param threads of TensorFlow, beside which batches are made; all cores when left out. Threads begin with the first batch that is asked
 * for, wherever training stands. Close it when done.
 */
export function openFinetuneFeed(work: ExampleWork, threads: number | undefined): BatchSource {
  return IS_COMPILED ? new LazyFeed(work, threads) : new OwnFeed(work);
}

class LazyFeed implements BatchSource {
  private feed: ThreadedFeed | undefined;

  constructor(
    private readonly work: ExampleWork,
    private readonly threads: number | undefined,
  ) {}

  batch(step: number): Promise<PatchBatch> {
    this.feed ??= this.open(step);
    return this.feed.batch(step);
  }

  async close(): Promise<void> {
    await this.feed?.close();
  }

  private open(firstStep: number): ThreadedFeed {
    const { patchSizeVoxels: sizeVoxels, training } = this.work.plan;
    const { batchSize } = training;
    const { targetsPerExample: targetsPerPair } = openWriter(this.work);
    const range = { first: batchThreadsFor(this.threads), most: mostBatchThreadsFor(this.threads) };
    return new ThreadedFeed(
      { entry: new URL('./example-thread.js', import.meta.url), work: this.work },
      { sizeVoxels, batchSize, share: { first: 0, count: batchSize }, firstStep, slots: SLOTS, targetsPerPair },
      usefulThreads(range, batchSize),
    );
  }
}

/** Makes each batch when it is asked for. */
class OwnFeed implements BatchSource {
  private readonly readers = new ReaderPool();
  private readonly writer: ExampleWriter;

  constructor(private readonly work: ExampleWork) {
    this.writer = openWriter(work, this.readers);
  }

  async batch(step: number): Promise<PatchBatch> {
    const { patchSizeVoxels, training } = this.work.plan;
    return makeBatch(this.writer, step, training.batchSize, patchSizeVoxels);
  }

  async close(): Promise<void> {
    this.readers.close();
  }
}
