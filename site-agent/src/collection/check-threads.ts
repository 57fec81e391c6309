import { Worker } from 'node:worker_threads';
import { type ErrorReport, FederationError } from '@consilium/shared/kernel';
import { type CheckOutcome, checkScan, type CheckTask, refused } from './check-scan.js';

/** Threads load compiled code; under a test runner that runs the sources there is none, and scans are read in-process. */
const IS_COMPILED = import.meta.url.endsWith('.js');

export type CheckAnswer = { readonly outcome: CheckOutcome } | { readonly error: ErrorReport };

/** Reads voxels of one scan at a time for whoever asks. */
interface Checker {
  check(task: CheckTask): Promise<CheckOutcome>;
  close(): Promise<void>;
}

/** Reads scans in parallel. At most `size` are read at a time; the caller waits for one to be free by awaiting `check`. */
export class CheckThreads {
  private readonly idle: Checker[];

  constructor(readonly size: number) {
    this.idle = Array.from({ length: size }, () =>
      IS_COMPILED ? new CheckThread() : { check: checkScan, close: () => Promise.resolve() },
    );
  }

  /** Never call it more than `size` times at once. */
  async check(task: CheckTask): Promise<CheckOutcome> {
    const checker = this.idle.pop();
    if (checker === undefined) throw new FederationError('INVARIANT', 'more scans are read at once than there are threads');
    try {
      return await checker.check(task);
    } finally {
      this.idle.push(checker);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.idle.map((checker) => checker.close()));
  }
}

/** A thread that is started when it is first needed, and again when a scan has brought it down. */
class CheckThread implements Checker {
  private thread: Worker | undefined;

  async check(task: CheckTask): Promise<CheckOutcome> {
    const thread = (this.thread ??= new Worker(new URL('./check-thread.js', import.meta.url), { execArgv: [] }));
    try {
      const answer = await ask(thread, task);
      if ('error' in answer) throw FederationError.fromReport(answer.error);
      return answer.outcome;
    } catch (thrown) {
      if (thrown instanceof FederationError) throw thrown;
      await this.close();
      const code = typeof thrown === 'object' && thrown !== null && 'code' in thrown ? String(thrown.code) : String(thrown);
      const reason =
        code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'reading it takes more memory than there is' : `reading it failed (${code})`;
      return refused({ status: 'refused', code: 'VOLUME_UNREADABLE', reason, remedy: undefined });
    }
  }

  async close(): Promise<void> {
    const thread = this.thread;
    this.thread = undefined;
    await thread?.terminate();
  }
}

function ask(thread: Worker, task: CheckTask): Promise<CheckAnswer> {
  return new Promise((resolve, reject) => {
    const onMessage = (answer: CheckAnswer): void => settle(() => resolve(answer));
    const onError = (error: Error): void => settle(() => reject(error));
    const onExit = (code: number): void => settle(() => reject(Object.assign(new Error('the thread ended'), { code })));
    const settle = (finish: () => void): void => {
      thread.off('message', onMessage).off('error', onError).off('exit', onExit);
      finish();
    };
    thread.on('message', onMessage).on('error', onError).on('exit', onExit);
    thread.postMessage(task);
  });
}
