import { availableParallelism } from 'node:os';
import { isMainThread, Worker } from 'node:worker_threads';
import type { FederationError } from '@consilium/shared/kernel';
import { unreadable } from '../volume-fault.js';
import { type DecodeFault, errorOf } from './decode-fault.js';
import { decodeFrame } from './decode-frame.js';
import type { FrameForm, StoredValues } from './stored-plane.js';
import type { PixelCodec } from './transfer-syntax.js';

type Codec = Exclude<PixelCodec, 'none'>;

/** What a decoding thread is asked and what it answers; memory is moved, not copied. */
export interface DecodeRequest {
  readonly encoded: Uint8Array;
  readonly codec: Codec;
  readonly form: FrameForm;
}
export type DecodeAnswer = { readonly values: StoredValues } | { readonly fault: DecodeFault };

interface Task {
  readonly request: DecodeRequest;
  readonly resolve: (values: StoredValues) => void;
  readonly reject: (error: unknown) => void;
}

const MOST_THREADS = 8;
/** Threads without work end after this time, so that their codecs' memory is given back. */
const IDLE_MS = 3000;
/** The largest honest frame takes a few seconds; a picture made to take longer must not stop the others. */
const DEADLINE_MS = 60_000;
/** Threads load compiled code; under a test runner that runs the sources there is none, and frames are decoded in-process. */
const HAS_THREADS = import.meta.url.endsWith('.js') && isMainThread;

/**
 * Decodes a frame in one of a few threads, which start when first needed and end by themselves; in a thread that is not the
 * main one it decodes there. Gives `encoded` up. Errors as `decodeFrame`, and VOLUME_UNREADABLE for a frame that takes a minute.
 */
export function decodeInThread(encoded: Buffer, codec: Codec, form: FrameForm): Promise<StoredValues> {
  if (!HAS_THREADS) return decodeFrame(encoded, codec, form);
  const { rows, columns, samplesPerPixel, bitsAllocated, bitsStored, highBit, signed, floating } = form;
  const plain = { rows, columns, samplesPerPixel, bitsAllocated, bitsStored, highBit, signed, floating };
  return new Promise((resolve, reject) => {
    waiting.push({ request: { encoded, codec, form: plain }, resolve, reject });
    assign();
  });
}

const waiting: Task[] = [];
const threads = new Set<DecodeThread>();

/** Hands waiting frames to idle threads, and starts threads while there are too few. */
function assign(): void {
  const most = Math.min(availableParallelism(), MOST_THREADS);
  while (waiting.length > 0) {
    let idle = [...threads].find((thread) => thread.isIdle);
    if (idle === undefined && threads.size < most) threads.add((idle = new DecodeThread()));
    const task = idle === undefined ? undefined : waiting.shift();
    if (idle === undefined || task === undefined) return;
    idle.take(task);
  }
}

/** One thread and the frame that it decodes. */
class DecodeThread {
  private readonly thread = new Worker(new URL('./decode-thread.js', import.meta.url), { execArgv: [] });
  private task: Task | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor() {
    this.thread.on('message', (answer: DecodeAnswer) => this.settle(answer));
    this.thread.on('error', (error) => this.end(unreadable('the pixel data is damaged: it stopped the decoder', error)));
    this.thread.on('exit', () => this.end(unreadable('the pixel data is damaged: it stopped the decoder')));
    this.thread.unref();
  }

  get isIdle(): boolean {
    return this.task === undefined;
  }

  take(task: Task): void {
    this.task = task;
    this.thread.ref(); // the process waits for work, not for idle threads
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.end(unreadable('the pixel data is damaged: it takes too long to decode')), DEADLINE_MS);
    const { encoded } = task.request;
    const whole = encoded.byteLength === encoded.buffer.byteLength ? encoded : encoded.slice();
    this.thread.postMessage({ ...task.request, encoded: whole } satisfies DecodeRequest, [whole.buffer as ArrayBuffer]);
  }

  private settle(answer: DecodeAnswer): void {
    const task = this.task;
    this.task = undefined;
    clearTimeout(this.timer);
    this.thread.unref();
    this.timer = setTimeout(() => this.end(undefined), IDLE_MS);
    this.timer.unref();
    if ('fault' in answer) task?.reject(errorOf(answer.fault));
    else task?.resolve(answer.values);
    assign();
  }

  private end(reason: FederationError | undefined): void {
    clearTimeout(this.timer);
    threads.delete(this);
    this.task?.reject(reason);
    this.task = undefined;
    void this.thread.terminate();
    assign();
  }
}
