import { availableParallelism } from 'node:os';
import type { TrainingPair } from '../objectives/models-genesis.js';
import type { BatchShare } from './data-parallel/batch-share.js';
import { PairThreads } from './batch-threads.js';
import type { BatchSource, PatchBatch, PatchSize } from './patch-batch.js';
import { type PairMaker, PatchStream, type PatchStreamOptions } from './patch-stream.js';

export interface PretrainFeedOptions extends PatchStreamOptions {
  readonly batchSize: number;
  /** The examples of each batch to make; all when left out. */
  readonly share?: BatchShare | undefined;
  /**
   * Threads that make batches ahead of the steps; 0 makes each batch when it is asked for. Left out: one, and one more for
   * each eight further processors. The bytes are the same for any number.
   */
  readonly threads?: number | undefined;
  /** The step that will be asked for first, so that making ahead begins there. */
  readonly firstStep?: number;
}

/** Batches kept ready beyond the one asked for. */
const BATCHES_AHEAD = 3;
const MOST_THREADS = 16;
/** Patches that a version is scored on at once. */
export const PROBE_BATCH_PATCHES = 4;
/** Threads load compiled code; under a test runner that runs the sources there is none, and batches are made in-process. */
const IS_COMPILED = import.meta.url.endsWith('.js');

/**
 * The batches of local training, or one device's share of them: step s (0, 1, …) holds pairs s·B … s·B + B − 1 of the stream.
 * Close it when done.
 */
export function openPretrainFeed(options: PretrainFeedOptions): BatchSource {
  const threads = Math.min(options.threads ?? defaultThreads(), MOST_THREADS, options.batchSize * (BATCHES_AHEAD + 1));
  const stream = new PatchStream(options); // also refuses an empty collection at once
  const maker = threads >= 1 && IS_COMPILED ? new PairThreads(options, threads) : inProcess(stream);
  return new BatchFeed(maker, options, threads >= 1 && IS_COMPILED ? BATCHES_AHEAD : 0);
}

/** The frozen probe: the first pairs of a stream, in batches of at most `batchSize`. The same for every model version. */
export async function openProbe(options: PatchStreamOptions & { patches: number; batchSize?: number }): Promise<PatchBatch[]> {
  const stream = new PatchStream(options);
  const { patches, batchSize = PROBE_BATCH_PATCHES, patch } = options;
  const batches: PatchBatch[] = [];
  try {
    for (let first = 0; first < patches; first += batchSize) {
      const pairs = Array.from({ length: Math.min(batchSize, patches - first) }, (_, index) => stream.pair(first + index));
      batches.push(assemble(pairs, patch.sizeVoxels));
      await new Promise((resolve) => setImmediate(resolve)); // let stop requests in
    }
    return batches;
  } finally {
    stream.close();
  }
}

class BatchFeed implements BatchSource {
  private readonly ready = new Map<number, Promise<PatchBatch>>();

  constructor(
    private readonly maker: PairMaker,
    private readonly options: PretrainFeedOptions,
    private readonly ahead: number,
  ) {
    if (ahead > 0) this.makeAhead(options.firstStep ?? 0);
  }

  async batch(step: number): Promise<PatchBatch> {
    for (const made of this.ready.keys()) if (made < step) this.ready.delete(made);
    const batch = this.request(step);
    this.ready.delete(step);
    this.makeAhead(step + 1);
    return batch;
  }

  async close(): Promise<void> {
    this.ready.clear();
    await this.maker.close();
  }

  private makeAhead(from: number): void {
    for (let step = from; step < from + this.ahead; step++) void this.request(step);
  }

  private request(step: number): Promise<PatchBatch> {
    let batch = this.ready.get(step);
    if (batch === undefined) {
      batch = this.make(step);
      batch.catch(() => undefined); // reported when the step is asked for
      this.ready.set(step, batch);
    }
    return batch;
  }

  private async make(step: number): Promise<PatchBatch> {
    const { batchSize, patch, share = { first: 0, count: batchSize } } = this.options;
    const first = step * batchSize + share.first;
    const pairs = Array.from({ length: share.count }, (_, index) => this.maker.pair(first + index));
    return assemble(await Promise.all(pairs), patch.sizeVoxels);
  }
}

function assemble(pairs: readonly TrainingPair[], sizeVoxels: PatchSize): PatchBatch {
  const voxels = sizeVoxels[0] * sizeVoxels[1] * sizeVoxels[2];
  const input = new Float32Array(pairs.length * voxels);
  const target = new Float32Array(pairs.length * voxels);
  for (const [index, pair] of pairs.entries()) {
    input.set(pair.input, index * voxels);
    target.set(pair.target, index * voxels);
  }
  return { patches: pairs.length, sizeVoxels, input, target };
}

function inProcess(stream: PatchStream): PairMaker {
  return { pair: async (index) => stream.pair(index), close: async () => stream.close() };
}

function defaultThreads(): number {
  return 1 + Math.floor((availableParallelism() - 1) / 8);
}
