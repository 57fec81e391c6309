import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { type ErrorReport, FederationError } from '@consilium/shared/kernel';
import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { measureUpdate, type MeasureTask } from './measure-update.js';
import type { MeasuredUpdate } from './update-facts.js';

export type MeasureAnswer = { readonly measured: MeasuredUpdate } | { readonly error: ErrorReport };

/** Threads load compiled code; under a test runner that runs the sources there is none, and updates are measured in-process. */
const IS_COMPILED = import.meta.url.endsWith('.js');

/** Each takes some 20 MiB; half of the processors are left to sockets and folds. */
const MOST_THREADS = Math.max(1, Math.min(4, Math.floor(availableParallelism() / 2)));

interface Waiting {
  readonly task: MeasureTask;
  readonly resolve: (measured: MeasuredUpdate) => void;
  readonly reject: (error: FederationError) => void;
}

/** Measures updates beside the event loop, in a few threads; further updates wait their turn. */
@Injectable()
export class MeasureThreads implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly waiting: Waiting[] = [];
  private readonly threads = new Set<MeasureThread>();

  /** As {@link measureUpdate}; STORAGE_FAILED (to be tried again) when the file cannot be read or the thread is lost. */
  measure(task: MeasureTask): Promise<MeasuredUpdate> {
    if (!IS_COMPILED) return measureUpdate(task);
    return new Promise((resolve, reject) => {
      this.waiting.push({ task, resolve, reject });
      this.assign();
    });
  }

  /** Threads start with the coordinator, so that the first updates find them warm and memory does not grow with them. */
  onApplicationBootstrap(): void {
    while (IS_COMPILED && this.threads.size < MOST_THREADS) this.threads.add(this.open());
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all([...this.threads].map((thread) => thread.end()));
  }

  private assign(): void {
    while (this.waiting.length > 0) {
      let idle = [...this.threads].find((thread) => thread.isIdle);
      if (idle === undefined && this.threads.size < MOST_THREADS) this.threads.add((idle = this.open()));
      const next = idle === undefined ? undefined : this.waiting.shift();
      if (idle === undefined || next === undefined) return;
      idle.take(next);
    }
  }

  private open(): MeasureThread {
    const thread = new MeasureThread({
      onIdle: () => this.assign(),
      onEnd: () => {
        this.threads.delete(thread);
        this.assign();
      },
    });
    return thread;
  }
}

/** One thread and the update that it measures. */
class MeasureThread {
  private readonly thread = new Worker(new URL('./measure-thread.js', import.meta.url), { execArgv: [] });
  private current: Waiting | undefined;

  constructor({ onIdle, onEnd }: { onIdle: () => void; onEnd: () => void }) {
    this.thread.on('message', (answer: MeasureAnswer) => {
      const done = this.release();
      if ('measured' in answer) done?.resolve(answer.measured);
      else done?.reject(FederationError.fromReport(answer.error));
      onIdle();
    });
    const onLost = (cause: unknown): void => {
      this.release()?.reject(new FederationError('STORAGE_FAILED', 'an update could not be examined to its end', { cause }));
      onEnd();
    };
    this.thread.on('error', onLost);
    this.thread.on('exit', onLost);
    this.thread.unref();
  }

  get isIdle(): boolean {
    return this.current === undefined;
  }

  take(waiting: Waiting): void {
    this.current = waiting;
    this.thread.ref(); // the process waits for work, not for idle threads
    this.thread.postMessage(waiting.task);
  }

  async end(): Promise<void> {
    await this.thread.terminate();
  }

  private release(): Waiting | undefined {
    const released = this.current;
    this.current = undefined;
    this.thread.unref();
    return released;
  }
}
