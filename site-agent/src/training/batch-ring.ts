import { invariant } from '@consilium/shared/kernel';
import type { BatchShare } from './data-parallel/batch-share.js';
import { voxelsOf } from './batch-passes.js';
import type { PatchBatch, PatchSize } from './patch-batch.js';

/** What a ring holds and where its series of batches begins. */
export interface RingPlan {
  readonly sizeVoxels: PatchSize;
  /** Pairs of a whole batch. */
  readonly batchSize: number;
  /** The pairs of each batch that the ring holds. */
  readonly share: BatchShare;
  readonly firstStep: number;
  /** Values of one pair's target; as many as its voxels when left out. */
  readonly targetsPerPair?: number;
  /** Batches that fit at once, the one that is trained on included. */
  readonly slots: number;
}

/** A ring as plain data over shared memory: threads get it as it is. */
export interface SharedRing {
  readonly plan: RingPlan;
  /** Counters, see {@link BatchRing}. */
  readonly counters: SharedArrayBuffer;
  /** Per slot the inputs of a batch, and then its targets. */
  readonly slots: readonly SharedArrayBuffer[];
}

/** A place of the ring that a thread has taken on itself to fill. */
export interface PairPlace {
  readonly step: number;
  /** Of the pair, in the stream. */
  readonly index: number;
  readonly input: Float32Array;
  readonly target: Float32Array;
}

/** Of inputs and targets together. */
export function bytesOfBatch(patches: number, sizeVoxels: PatchSize, targetsPerPair = voxelsOf(sizeVoxels)): number {
  return patches * (voxelsOf(sizeVoxels) + targetsPerPair) * Float32Array.BYTES_PER_ELEMENT;
}

const [TAKEN, ALLOWED, FILLED] = [0, 1, 2];

/**
 * Batches of consecutive steps in shared memory, allocated once. Threads take the places of pairs one by one, in their order,
 * so that none idles while another has a queue; the trainer reads a batch when all its places are filled and gives its slot
 * back. The order in which threads finish changes nothing: each pair has its place.
 *
 * Counters (32 bits, changed with Atomics alone): places taken so far, places that may be taken so far, and for each slot the
 * places filled.
 */
export class BatchRing {
  private readonly counters: Int32Array;

  constructor(readonly shared: SharedRing) {
    this.counters = new Int32Array(shared.counters);
  }

  /** All slots are free, and threads may begin to fill them. Memory that is not yet written to takes none. */
  static create(plan: RingPlan): BatchRing {
    const bytes = bytesOfBatch(plan.share.count, plan.sizeVoxels, plan.targetsPerPair);
    const slots = Array.from({ length: plan.slots }, () => new SharedArrayBuffer(bytes));
    const counters = new SharedArrayBuffer((FILLED + plan.slots) * Int32Array.BYTES_PER_ELEMENT);
    const ring = new BatchRing({ plan, counters, slots });
    ring.allowBefore(plan.firstStep + plan.slots);
    return ring;
  }

  /** The next place that nobody fills. Blocks the thread while all slots are full; it then ends by being terminated. */
  take(): PairPlace {
    for (;;) {
      const taken = Atomics.load(this.counters, TAKEN);
      const allowed = Atomics.load(this.counters, ALLOWED);
      if (taken >= allowed) Atomics.wait(this.counters, ALLOWED, allowed);
      else if (Atomics.compareExchange(this.counters, TAKEN, taken, taken + 1) === taken) return this.place(taken);
    }
  }

  /** Says that a place is filled; true when its batch is complete with it. */
  fill({ step }: Pick<PairPlace, 'step'>): boolean {
    return Atomics.add(this.counters, this.counterOf(step), 1) + 1 === this.shared.plan.share.count;
  }

  isComplete(step: number): boolean {
    return Atomics.load(this.counters, this.counterOf(step)) === this.shared.plan.share.count;
  }

  /** The arrays of a complete batch. They lie in the slot: use them until it is given back. */
  batch(step: number): PatchBatch {
    invariant(this.isComplete(step), 'a batch is read when it is complete');
    const { sizeVoxels, share } = this.shared.plan;
    return { patches: share.count, sizeVoxels, ...this.arrays(step, 0, share.count) };
  }

  /** Gives back the slot of the oldest batch, for the step as many slots later. */
  release(step: number): void {
    Atomics.store(this.counters, this.counterOf(step), 0);
    this.allowBefore(step + 1 + this.shared.plan.slots);
  }

  private allowBefore(step: number): void {
    const { firstStep, share } = this.shared.plan;
    Atomics.store(this.counters, ALLOWED, (step - firstStep) * share.count);
    Atomics.notify(this.counters, ALLOWED);
  }

  private place(taken: number): PairPlace {
    const { firstStep, batchSize, share } = this.shared.plan;
    const step = firstStep + Math.floor(taken / share.count);
    const position = taken % share.count;
    return { step, index: step * batchSize + share.first + position, ...this.arrays(step, position, 1) };
  }

  private arrays(step: number, first: number, count: number): { input: Float32Array; target: Float32Array } {
    const { sizeVoxels, share, targetsPerPair = voxelsOf(sizeVoxels) } = this.shared.plan;
    const values = new Float32Array(this.shared.slots[this.slotOf(step)] as SharedArrayBuffer);
    const inputs = share.count * voxelsOf(sizeVoxels);
    const part = (all: Float32Array, each: number): Float32Array => all.subarray(first * each, (first + count) * each);
    return {
      input: part(values.subarray(0, inputs), voxelsOf(sizeVoxels)),
      target: part(values.subarray(inputs), targetsPerPair),
    };
  }

  private slotOf(step: number): number {
    return (step - this.shared.plan.firstStep) % this.shared.plan.slots;
  }

  private counterOf(step: number): number {
    return FILLED + this.slotOf(step);
  }
}
