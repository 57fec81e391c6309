import { BatchRing, type RingPlan } from './batch-ring.js';
import { BatchThreads } from './batch-threads.js';
import type { BatchSource, PatchBatch } from './patch-batch.js';
import type { PatchStreamOptions } from './patch-stream.js';

/** One uninterrupted series of steps. */
interface Series {
  readonly ring: BatchRing;
  readonly threads: BatchThreads;
}

/** Batches that threads make ahead of the steps, in the ring's memory. A step out of turn begins a new series. */
export class ThreadedFeed implements BatchSource {
  private series: Series;
  private nextStep: number;
  /** The step whose batch the trainer has. */
  private heldStep: number | undefined;

  constructor(
    private readonly stream: PatchStreamOptions,
    private readonly plan: RingPlan,
    private readonly threads: number,
  ) {
    this.nextStep = plan.firstStep;
    this.series = this.open();
  }

  async batch(step: number): Promise<PatchBatch> {
    if (step !== this.nextStep) await this.turnTo(step);
    else if (this.heldStep !== undefined) this.series.ring.release(this.heldStep);
    this.heldStep = undefined;
    const { ring, threads } = this.series;
    if (!ring.isComplete(step)) await threads.complete(step);
    this.heldStep = step;
    this.nextStep = step + 1;
    return ring.batch(step);
  }

  close(): Promise<void> {
    return this.series.threads.close();
  }

  private async turnTo(step: number): Promise<void> {
    await this.series.threads.close();
    this.nextStep = step;
    this.series = this.open();
  }

  private open(): Series {
    const ring = BatchRing.create({ ...this.plan, firstStep: this.nextStep });
    return { ring, threads: new BatchThreads(this.stream, ring, this.threads) };
  }
}
