/** Batches of examples: made by threads ahead of the steps, or between them; the same bytes either way. */
import { ReaderPool } from '../preprocessing/patch-cache/reader-pool.js';
import { batchThreadsFor, mostBatchThreadsFor, SLOTS, usefulThreads } from '../training/batch-feed.js';
import type { ThreadProgram } from '../training/batch-threads.js';
import type { BatchSource, PatchBatch, PatchSize } from '../training/patch-batch.js';
import { ThreadedFeed } from '../training/threaded-feed.js';
import { type ExampleWriter, makeBatch } from './example-writer.js';

/** How the examples of a training are made, in threads and in this one. */
export interface ExampleProgram extends ThreadProgram {
  readonly sizeVoxels: PatchSize;
  readonly batchSize: number;
  /** What the threads do, here: `readers` of files are opened as they are needed. */
  open(readers: ReaderPool): ExampleWriter;
}

/** Threads load compiled code; under a test runner that runs the sources there is none. */
const IS_COMPILED = import.meta.url.endsWith('.js');

/**
 * @param threads of TensorFlow, beside which batches are made; all cores when left out. Threads begin with the first batch that is asked
 * for, wherever training stands. Close it when done.
 */
export function openExampleFeed(program: ExampleProgram, threads: number | undefined): BatchSource {
  return IS_COMPILED ? new LazyFeed(program, threads) : new OwnFeed(program);
}

class LazyFeed implements BatchSource {
  private feed: ThreadedFeed | undefined;

  constructor(
    private readonly program: ExampleProgram,
    private readonly threads: number | undefined,
  ) {}

  batch(step: number): Promise<PatchBatch> {
    this.feed ??= this.openAt(step);
    return this.feed.batch(step);
  }

  async close(): Promise<void> {
    await this.feed?.close();
  }

  private openAt(firstStep: number): ThreadedFeed {
    const { entry, work, sizeVoxels, batchSize } = this.program;
    const { targetsPerExample: targetsPerPair } = this.program.open(new ReaderPool());
    const range = { first: batchThreadsFor(this.threads), most: mostBatchThreadsFor(this.threads) };
    return new ThreadedFeed(
      { entry, work },
      { sizeVoxels, batchSize, share: { first: 0, count: batchSize }, firstStep, slots: SLOTS, targetsPerPair },
      usefulThreads(range, batchSize),
    );
  }
}

/** Makes each batch when it is asked for. */
class OwnFeed implements BatchSource {
  private readonly readers = new ReaderPool();
  private readonly writer: ExampleWriter;

  constructor(private readonly program: ExampleProgram) {
    this.writer = program.open(this.readers);
  }

  async batch(step: number): Promise<PatchBatch> {
    return makeBatch(this.writer, step, this.program.batchSize, this.program.sizeVoxels);
  }

  async close(): Promise<void> {
    this.readers.close();
  }
}
