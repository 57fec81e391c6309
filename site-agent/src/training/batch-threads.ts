import { Worker } from 'node:worker_threads';
import { type ErrorReport, FederationError } from '@consilium/shared/kernel';
import type { BatchRing, SharedRing } from './batch-ring.js';

/** How threads make pairs: their program (see `serveRing`) and what it is started with, plain data or shared memory. */
export interface ThreadProgram {
  readonly entry: URL;
  readonly work: unknown;
}

/** What a thread is started with. */
export interface BatchThreadWork {
  readonly work: unknown;
  readonly ring: SharedRing;
}

/** What a thread says: a batch is complete, or a pair of it cannot be made. The pairs themselves lie in the ring. */
export interface BatchThreadWord {
  readonly step: number;
  readonly error?: ErrorReport;
}

interface Waiting {
  readonly step: number;
  readonly resolve: () => void;
  readonly reject: (error: FederationError) => void;
}

/** Threads that fill a ring, each reading the volumes' files for itself. */
export class BatchThreads {
  private readonly threads: Worker[] = [];
  /** Of steps whose batch will never be complete. */
  private readonly failures = new Map<number, FederationError>();
  private ended: FederationError | undefined;
  private waiting: Waiting | undefined;

  constructor(
    private readonly program: ThreadProgram,
    private readonly ring: BatchRing,
    count: number,
  ) {
    while (this.threads.length < count) this.add();
  }

  /** One thread more; batches are the same, only sooner. */
  add(): void {
    const workerData: BatchThreadWork = { work: this.program.work, ring: this.ring.shared };
    const thread = new Worker(this.program.entry, { workerData, execArgv: [] });
    thread.on('message', (word: BatchThreadWord) => this.hear(word));
    thread.on('error', (cause) => this.end(operationFailed(`a batch thread failed: ${cause.message}`, cause)));
    thread.on('exit', () => this.end(operationFailed('a batch thread ended before its work')));
    this.threads.push(thread);
  }

  /** Resolves when the step's batch is complete; rejects when it cannot be made or the threads are gone. For one caller. */
  complete(step: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting = { step, resolve, reject };
      this.settle();
    });
  }

  /** Ends the threads at once; a batch still waited for is rejected. */
  async close(): Promise<void> {
    this.end(new FederationError('INVARIANT', 'the batch feed is closed'));
    await Promise.all(this.threads.map((thread) => thread.terminate()));
  }

  private hear({ step, error }: BatchThreadWord): void {
    if (error !== undefined) this.failures.set(step, FederationError.fromReport(error));
    this.settle();
  }

  private end(error: FederationError): void {
    this.ended ??= error;
    this.settle();
  }

  private settle(): void {
    if (this.waiting === undefined) return;
    const { step, resolve, reject } = this.waiting;
    const failure = this.ended ?? this.failures.get(step);
    if (failure !== undefined) reject(failure);
    else if (this.ring.isComplete(step)) resolve();
    else return;
    this.waiting = undefined;
  }
}

function operationFailed(message: string, cause?: unknown): FederationError {
  return new FederationError('OPERATION_FAILED', message, {
    cause,
    remedy: 'The same order continues from the last checkpoint. If it fails again, see whether the machine is short of memory.',
  });
}
