import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { errnoOf, type ErrorReport, FederationError, invariant, required } from '@consilium/shared/kernel';
import { openFoldMemory } from './fold-memory.js';
import type { FoldPlan } from './fold-plan.js';
import { PieceFolder } from './piece-folder.js';

/** Threads load compiled code; under a test runner that runs the sources there is none, and pieces are folded in-process. */
const IS_COMPILED = import.meta.url.endsWith('.js');

export type ThreadTask =
  | { readonly kind: 'begin'; readonly plan: FoldPlan }
  | { readonly kind: 'fold'; readonly piece: number; readonly slot: number }
  | { readonly kind: 'distances'; readonly piece: number };

export type ThreadAnswer =
  | { readonly kind: 'ready'; readonly buffer: SharedArrayBuffer }
  | { readonly kind: 'folded'; readonly byteOffset: number; readonly byteLength: number }
  | { readonly kind: 'distances'; readonly sums: Float64Array }
  | { readonly kind: 'failed'; readonly report: ErrorReport; readonly remedy: string | undefined };

/** Folds pieces of one plan at a time. */
export interface PieceRunner {
  begin(plan: FoldPlan): Promise<void>;
  /** The piece's part of the next version; it lies in the slot until that is used again. */
  fold(piece: number, slot: number): Promise<Uint8Array>;
  distances(piece: number): Promise<Float64Array>;
}

let threads: FoldThread[] = [];
let lastFold: Promise<unknown> = Promise.resolve();

/**
 * Lends so many threads, or this one for 0, to one fold at a time: memory does not grow with the number of campaigns. Threads are
 * started when they are first needed, stay for the next fold, and do not keep the process alive between folds.
 */
export function withRunners<T>(count: number, use: (runners: readonly PieceRunner[]) => Promise<T>): Promise<T> {
  const fold = lastFold.then(async () => {
    if (count === 0 || !IS_COMPILED) return use([new InThisThread()]);
    threads = threads.filter(({ hasEnded }) => !hasEnded);
    while (threads.length < count) threads.push(new FoldThread());
    const lent = threads.slice(0, count);
    for (const thread of lent) thread.hold();
    try {
      return await use(lent);
    } finally {
      for (const thread of lent) thread.letGo();
    }
  });
  lastFold = fold.catch(() => undefined);
  return fold;
}

/** Starts so many threads ahead of the first fold, which then finds them warm; harmless where they run already. */
export function startFoldThreads(count: number): void {
  if (!IS_COMPILED) return;
  threads = threads.filter(({ hasEnded }) => !hasEnded);
  while (threads.length < count) threads.push(new FoldThread());
}

/** Ends the threads once the folds that were begun have ended. A later fold starts new ones. */
export async function closeFoldThreads(): Promise<void> {
  const closing = lastFold.then(() => Promise.all(threads.splice(0).map((thread) => thread.end())));
  lastFold = closing;
  await closing;
}

class InThisThread implements PieceRunner {
  private plan: FoldPlan | undefined;
  private folder: PieceFolder | undefined;

  async begin(plan: FoldPlan): Promise<void> {
    this.plan = plan;
    this.folder = new PieceFolder(plan, openFoldMemory(plan.inputElements));
  }

  async fold(piece: number, slot: number): Promise<Uint8Array> {
    await setImmediate(); // whoever wants to stop the fold gets a word in
    return this.begun().fold(required(this.plan?.pieces[piece], 'the piece'), slot);
  }

  async distances(piece: number): Promise<Float64Array> {
    await setImmediate();
    return this.begun().distances(required(this.plan?.pieces[piece], 'the piece'));
  }

  private begun(): PieceFolder {
    return required(this.folder, 'a plan to fold by');
  }
}

interface Waiting {
  readonly resolve: (answer: ThreadAnswer) => void;
  readonly reject: (error: FederationError) => void;
}

/** Answers come in the order of the tasks. */
class FoldThread implements PieceRunner {
  private readonly thread = new Worker(new URL('./fold-thread.js', import.meta.url), {
    execArgv: [],
    // Numbers lie outside the heap; what a thread keeps there is small.
    resourceLimits: { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 4 },
  });
  private waiting: Waiting[] = [];
  private buffer: SharedArrayBuffer | undefined;
  hasEnded = false;

  constructor() {
    this.thread.on('message', (answer: ThreadAnswer) => this.waiting.shift()?.resolve(answer));
    this.thread.on('error', (error) => this.fail(error));
    this.thread.on('exit', () => this.fail(new Error('a thread that folds has ended')));
    this.thread.unref();
  }

  hold(): void {
    this.thread.ref();
  }

  letGo(): void {
    this.thread.unref();
  }

  async end(): Promise<void> {
    await this.thread.terminate();
  }

  async begin(plan: FoldPlan): Promise<void> {
    const answer = await this.ask({ kind: 'begin', plan });
    if (answer.kind === 'ready') this.buffer = answer.buffer;
  }

  async fold(piece: number, slot: number): Promise<Uint8Array> {
    const answer = await this.ask({ kind: 'fold', piece, slot });
    invariant(answer.kind === 'folded', 'a thread answers what it was asked');
    return new Uint8Array(required(this.buffer, 'the memory of a thread'), answer.byteOffset, answer.byteLength);
  }

  async distances(piece: number): Promise<Float64Array> {
    const answer = await this.ask({ kind: 'distances', piece });
    invariant(answer.kind === 'distances', 'a thread answers what it was asked');
    return answer.sums;
  }

  private async ask(task: ThreadTask): Promise<ThreadAnswer> {
    const answer = await new Promise<ThreadAnswer>((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      if (this.hasEnded) this.fail(new Error('a thread that folds has ended'));
      else this.thread.postMessage(task);
    });
    if (answer.kind !== 'failed') return answer;
    const { code, message, retryable, details } = answer.report;
    throw new FederationError(code, message, { retryable, details, ...(answer.remedy && { remedy: answer.remedy }) });
  }

  private fail(cause: unknown): void {
    this.hasEnded = true;
    const error = FederationError.from(cause, errnoOf(cause) === 'ERR_WORKER_OUT_OF_MEMORY' ? 'OUT_OF_MEMORY' : 'INVARIANT');
    for (const { reject } of this.waiting.splice(0)) reject(error);
  }
}
