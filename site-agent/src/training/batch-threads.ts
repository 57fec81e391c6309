import { Worker } from 'node:worker_threads';
import { type ErrorReport, FederationError } from '@consilium/shared/kernel';
import type { TrainingPair } from '../objectives/models-genesis.js';
import type { PairMaker, PatchStreamOptions } from './patch-stream.js';

/** What a thread is asked and what it answers; arrays are moved, not copied. */
export interface PairRequest {
  readonly id: number;
  readonly index: number;
}
export type PairAnswer = { readonly id: number } & (TrainingPair | { readonly error: ErrorReport });

interface Waiting {
  readonly resolve: (pair: TrainingPair) => void;
  readonly reject: (error: FederationError) => void;
}

interface BatchThread {
  readonly thread: Worker;
  readonly waiting: Map<number, Waiting>;
}

/** Makes pairs in threads that read the volumes' files; a request goes to the thread that has the least to do. */
export class PairThreads implements PairMaker {
  private readonly threads: readonly BatchThread[];
  private failure: FederationError | undefined;
  private requests = 0;

  constructor(options: PatchStreamOptions, count: number) {
    const { volumes, patch, objective, streamName } = options;
    this.threads = Array.from({ length: count }, () => this.start({ volumes, patch, objective, streamName }));
  }

  pair(index: number): Promise<TrainingPair> {
    return new Promise((resolve, reject) => {
      if (this.failure !== undefined) return reject(this.failure);
      const idlest = this.threads.reduce((a, b) => (b.waiting.size < a.waiting.size ? b : a));
      const id = this.requests++;
      idlest.waiting.set(id, { resolve, reject });
      idlest.thread.postMessage({ id, index } satisfies PairRequest);
    });
  }

  /** Ends the threads at once; pairs still asked for are rejected. */
  async close(): Promise<void> {
    this.fail(new FederationError('INVARIANT', 'the batch feed is closed'));
    await Promise.all(this.threads.map(({ thread }) => thread.terminate()));
  }

  private start(options: PatchStreamOptions): BatchThread {
    const thread = new Worker(new URL('./batch-thread.js', import.meta.url), { workerData: options, execArgv: [] });
    const waiting = new Map<number, Waiting>();
    thread.on('message', (answer: PairAnswer) => settle(waiting, answer));
    thread.on('error', (error) =>
      this.fail(new FederationError('OPERATION_FAILED', `a batch thread failed: ${error.message}`, { cause: error })),
    );
    thread.on('exit', () => this.fail(new FederationError('OPERATION_FAILED', 'a batch thread ended before its work')));
    return { thread, waiting };
  }

  private fail(error: FederationError): void {
    this.failure ??= error;
    for (const { waiting } of this.threads) {
      for (const { reject } of waiting.values()) reject(this.failure);
      waiting.clear();
    }
  }
}

function settle(waiting: Map<number, Waiting>, answer: PairAnswer): void {
  const asked = waiting.get(answer.id);
  waiting.delete(answer.id);
  if ('error' in answer) asked?.reject(FederationError.fromReport(answer.error));
  else asked?.resolve({ input: answer.input, target: answer.target });
}
