import { availableParallelism } from 'node:os';
import type { BatchShare } from './data-parallel/batch-share.js';
import { voxelsOf } from './batch-passes.js';
import { bytesOfBatch, type RingPlan } from './batch-ring.js';
import type { BatchSource, PatchBatch, PatchSize } from './patch-batch.js';
import { PatchStream, type PatchStreamOptions } from './patch-stream.js';
import { ThreadedFeed, type ThreadRange } from './threaded-feed.js';

export interface PretrainFeedOptions extends PatchStreamOptions {
  readonly batchSize: number;
  /** The examples of each batch to make; all when left out. */
  readonly share?: BatchShare | undefined;
  /**
   * Threads that make batches ahead of the steps; 0 makes each batch when it is asked for. Left out: as {@link batchThreadsFor}
   * says. The bytes are the same for any number.
   */
  readonly threads?: number | undefined;
  /** What the number may grow to when steps wait for their batches; it stays when left out. */
  readonly mostThreads?: number | undefined;
  /** The step that will be asked for first, so that making ahead begins there. */
  readonly firstStep?: number;
}

/** Batches in memory at once: the one that is trained on and three that are ready or being made. */
const SLOTS = 4;
const MOST_THREADS = 16;
/** Patches that a version is scored on at once. */
export const PROBE_BATCH_PATCHES = 4;
/** Threads load compiled code; under a test runner that runs the sources there is none, and batches are made in-process. */
const IS_COMPILED = import.meta.url.endsWith('.js');

/** A step costs many times its patches: one batch thread feeds several of TensorFlow's. */
export function batchThreadsFor(threads: number = availableParallelism()): number {
  return Math.ceil(threads / 8);
}

/** What {@link batchThreadsFor} may grow to where patches take long (several scales, a slow disk) or steps are short. */
export function mostBatchThreadsFor(threads: number = availableParallelism()): number {
  return Math.ceil(threads / 4);
}

/** Memory of the batches of a feed, for so many patches a batch. */
export function bytesOfFeed(patches: number, sizeVoxels: PatchSize): number {
  return SLOTS * bytesOfBatch(patches, sizeVoxels);
}

/**
 * The batches of local training, or one device's share of them: step s (0, 1, …) holds pairs s·B … s·B + B − 1 of the stream.
 * Ask for one step after the other; another one is allowed, but the batches made ahead are lost. Close it when done.
 */
export function openPretrainFeed(options: PretrainFeedOptions): BatchSource {
  const { batchSize, firstStep = 0, share = { first: 0, count: batchSize } } = options;
  const plan: RingPlan = { sizeVoxels: options.patch.sizeVoxels, batchSize, share, firstStep, slots: SLOTS };
  const useful = (threads: number): number => Math.min(threads, MOST_THREADS, share.count * SLOTS);
  const first = useful(options.threads ?? batchThreadsFor());
  const range: ThreadRange = { first, most: Math.max(first, useful(options.mostThreads ?? first)) };
  const stream = new PatchStream(options); // also refuses an empty collection at once
  const feed = first >= 1 && IS_COMPILED ? new ThreadedFeed(options, plan, range) : new OwnFeed(stream, plan);
  return hasHeads(options) ? labelled(feed, stream, plan) : feed;
}

/** The same batches with what heads are to tell, which threads need not know. */
function labelled(feed: BatchSource, stream: PatchStream, { batchSize, share }: RingPlan): BatchSource {
  return {
    async batch(step) {
      const labels = stream.labels(step * batchSize + share.first, share.count);
      return { ...(await feed.batch(step)), labels };
    },
    close: () => feed.close(),
  };
}

function hasHeads({ objective }: PatchStreamOptions): boolean {
  return objective.kind === 'universal-model';
}

/** The frozen probe: the first pairs of a stream, in batches of at most `batchSize`. The same for every model version. */
export async function openProbe(options: PatchStreamOptions & { patches: number; batchSize?: number }): Promise<PatchBatch[]> {
  const stream = new PatchStream(options);
  const { patches, batchSize = PROBE_BATCH_PATCHES, patch } = options;
  const batches: PatchBatch[] = [];
  try {
    for (let first = 0; first < patches; first += batchSize) {
      const batch = emptyBatch(Math.min(batchSize, patches - first), patch.sizeVoxels);
      fillBatch(stream, first, batch);
      batches.push(hasHeads(options) ? { ...batch, labels: stream.labels(first, batch.patches) } : batch);
      await new Promise((resolve) => setImmediate(resolve)); // let stop requests in
    }
    return batches;
  } finally {
    stream.close();
  }
}

/** Makes each batch in the calling thread when it is asked for, in the same memory each time. */
class OwnFeed implements BatchSource {
  private readonly made: PatchBatch;

  constructor(
    private readonly stream: PatchStream,
    private readonly plan: RingPlan,
  ) {
    this.made = emptyBatch(plan.share.count, plan.sizeVoxels);
  }

  async batch(step: number): Promise<PatchBatch> {
    const { batchSize, share } = this.plan;
    fillBatch(this.stream, step * batchSize + share.first, this.made);
    return this.made;
  }

  async close(): Promise<void> {
    this.stream.close();
  }
}

function emptyBatch(patches: number, sizeVoxels: PatchSize): PatchBatch {
  const values = (): Float32Array => new Float32Array(patches * voxelsOf(sizeVoxels));
  return { patches, sizeVoxels, input: values(), target: values() };
}

function fillBatch(stream: PatchStream, firstPair: number, { patches, sizeVoxels, input, target }: PatchBatch): void {
  const voxels = voxelsOf(sizeVoxels);
  for (let position = 0; position < patches; position++) {
    const [from, to] = [position * voxels, (position + 1) * voxels];
    stream.writePair(firstPair + position, { input: input.subarray(from, to), target: target.subarray(from, to) });
  }
}
