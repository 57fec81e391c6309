import { availableParallelism } from 'node:os';
import type { BatchShare } from './data-parallel/batch-share.js';
import { voxelsOf } from './batch-passes.js';
import { bytesOfBatch, type RingPlan } from './batch-ring.js';
import type { ThreadProgram } from './batch-threads.js';
import type { BatchSource, PatchBatch, PatchSize, ProbeBatch } from './patch-batch.js';
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
export const SLOTS = 4;
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

/** No more threads than have a place to fill. */
export function usefulThreads({ first, most }: ThreadRange, pairs: number): ThreadRange {
  const useful = (threads: number): number => Math.min(threads, MOST_THREADS, pairs * SLOTS);
  return { first: useful(first), most: Math.max(useful(first), useful(most)) };
}

/** Memory of the batches of a feed, for so many patches a batch. */
export function bytesOfFeed(patches: number, sizeVoxels: PatchSize, targetsPerPair?: number): number {
  return SLOTS * bytesOfBatch(patches, sizeVoxels, targetsPerPair);
}

/**
 * The batches of local training, or one device's share of them: step s (0, 1, …) holds pairs s·B … s·B + B − 1 of the stream.
 * Ask for one step after the other; another one is allowed, but the batches made ahead are lost. Close it when done.
 */
export function openPretrainFeed(options: PretrainFeedOptions): BatchSource {
  const { batchSize, firstStep = 0, share = { first: 0, count: batchSize } } = options;
  const plan: RingPlan = { sizeVoxels: options.patch.sizeVoxels, batchSize, share, firstStep, slots: SLOTS };
  const first = options.threads ?? batchThreadsFor();
  const range = usefulThreads({ first, most: options.mostThreads ?? first }, share.count);
  const stream = new PatchStream(options); // also refuses an empty collection at once
  const feed = range.first >= 1 && IS_COMPILED ? new ThreadedFeed(programOf(options), plan, range) : new OwnFeed(stream, plan);
  return hasHeads(options) ? labelled(feed, stream, plan) : feed;
}

function programOf({ volumes, patch, objective, streamName, clock }: PatchStreamOptions): ThreadProgram {
  return { entry: new URL('./batch-thread.js', import.meta.url), work: { volumes, patch, objective, streamName, clock } };
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

export type ProbeOptions = PatchStreamOptions & { readonly patches: number; readonly batchSize?: number | undefined };

/** The frozen probe: the first pairs of a stream, in batches of at most `batchSize`. The same for every model version. */
export async function openProbe(options: ProbeOptions): Promise<ProbeBatch[]> {
  const batches: ProbeBatch[] = [];
  for (const batch of probeBatches(options)) {
    batches.push(batch);
    await new Promise((resolve) => setImmediate(resolve)); // let stop requests in
  }
  return batches;
}

/** As {@link openProbe}, one batch after the other: for probes that are too large to be held. */
export function* probeBatches(options: ProbeOptions): Generator<ProbeBatch> {
  const stream = new PatchStream(options);
  const { patches, batchSize = PROBE_BATCH_PATCHES, patch } = options;
  try {
    for (let first = 0; first < patches; first += batchSize) {
      const batch = probeBatch(stream, first, Math.min(batchSize, patches - first), patch.sizeVoxels);
      yield hasHeads(options) ? { ...batch, labels: stream.labels(first, batch.patches) } : batch;
    }
  } finally {
    stream.close();
  }
}

/** The pairs of a stream from one of them on, in batches of at most `batchSize`, each made when it is asked for. */
export function* patchBatches(options: ProbeOptions & { readonly first: number }): Generator<PatchBatch> {
  const stream = new PatchStream(options);
  const { patches, batchSize = PROBE_BATCH_PATCHES, patch } = options;
  try {
    for (let { first } = options; first < patches; first += batchSize) {
      const batch = emptyBatch(Math.min(batchSize, patches - first), patch.sizeVoxels);
      fillBatch(stream, first, batch);
      yield hasHeads(options) ? { ...batch, labels: stream.labels(first, batch.patches) } : batch;
    }
  } finally {
    stream.close();
  }
}

function probeBatch(stream: PatchStream, first: number, patches: number, sizeVoxels: PatchSize): ProbeBatch {
  const voxels = voxelsOf(sizeVoxels);
  const batch = { ...emptyBatch(patches, sizeVoxels), treatments: new Uint8Array(patches * voxels) };
  const modalities = Array.from({ length: patches }, (_, position) => {
    const { input, target, treatments, modality } = stream.probePair(first + position);
    batch.input.set(input, position * voxels);
    batch.target.set(target, position * voxels);
    batch.treatments.set(treatments, position * voxels);
    return modality;
  });
  return { ...batch, modalities };
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
