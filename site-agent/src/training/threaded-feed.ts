import { BatchRing, type RingPlan } from './batch-ring.js';
import { BatchThreads, type ThreadProgram } from './batch-threads.js';
import type { BatchSource, PatchBatch } from './patch-batch.js';

/** How many threads a feed begins with, and how many it may come to when steps wait. */
export interface ThreadRange {
  readonly first: number;
  readonly most: number;
}

/** When steps waited for more than this share of the time in which so many batches were asked for, one thread is added. */
const MOST_WAIT_SHARE = 0.05;
const BATCHES_JUDGED = 32;

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
  private threadCount: number;
  /** Since the last judgement; the first batch, for which the threads start, is not counted. */
  private readonly judged = { batches: -1, waitedMs: 0, sinceMs: 0 };

  constructor(
    private readonly program: ThreadProgram,
    private readonly plan: RingPlan,
    private readonly range: ThreadRange,
  ) {
    this.threadCount = range.first;
    this.nextStep = plan.firstStep;
    this.series = this.open();
  }

  /** Threads that make batches at present. */
  get threads(): number {
    return this.threadCount;
  }

  async batch(step: number): Promise<PatchBatch> {
    if (step !== this.nextStep) await this.turnTo(step);
    else if (this.heldStep !== undefined) this.series.ring.release(this.heldStep);
    this.heldStep = undefined;
    const { ring, threads } = this.series;
    const askedMs = performance.now();
    if (!ring.isComplete(step)) await threads.complete(step);
    this.judge(performance.now() - askedMs);
    this.heldStep = step;
    this.nextStep = step + 1;
    return ring.batch(step);
  }

  close(): Promise<void> {
    return this.series.threads.close();
  }

  /** More threads make the same batches sooner, so that timing decides how many there are and nothing else. */
  private judge(waitedMs: number): void {
    const { judged, range } = this;
    judged.batches += 1;
    judged.waitedMs += waitedMs;
    if (judged.batches > 0 && judged.batches < BATCHES_JUDGED) return;
    const nowMs = performance.now();
    if (judged.batches > 0 && this.threadCount < range.most && judged.waitedMs > MOST_WAIT_SHARE * (nowMs - judged.sinceMs)) {
      this.series.threads.add();
      this.threadCount += 1;
    }
    Object.assign(judged, { batches: 0, waitedMs: 0, sinceMs: nowMs });
  }

  private async turnTo(step: number): Promise<void> {
    await this.series.threads.close();
    this.nextStep = step;
    this.series = this.open();
  }

  private open(): Series {
    const ring = BatchRing.create({ ...this.plan, firstStep: this.nextStep });
    return { ring, threads: new BatchThreads(this.program, ring, this.threadCount) };
  }
}
