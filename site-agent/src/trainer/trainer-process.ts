import { type ChildProcess, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { FederationError } from '@consilium/shared/kernel';
import { inheritedEnvironment } from '../config/inherited-environment.js';
import { runtimeSearch } from '../config/runtime-search.js';
import { locateRuntime, runtimeEnvironment } from '../engine/runtime/locate-runtime.js';
import { rebuildFailure } from './failure-message.js';
import { LastWords } from './last-words.js';
import { countMemoryKills, explainExit } from './trainer-exit.js';
import type { TrainerMessage, TrainerOrder, TrainerProgress, TrainerResult } from './trainer-messages.js';

/** A trainer at work on one order. */
export interface TrainerHandle {
  readonly pid: number | undefined;
  /**
   * Settles when the process has ended: with its result, or with the error it reported, or with TRAINER_STOPPED,
   * OUT_OF_MEMORY or TRAINER_DIED when it ended without one.
   */
  readonly finished: Promise<TrainerResult>;
  /** Asks it to save and end, then kills it after a grace; returns when it has ended. May be called at any time. */
  stop(): Promise<void>;
}

/** The port behind which TensorFlow and the data live. */
export interface Trainer {
  start(order: TrainerOrder, onProgress: (progress: TrainerProgress) => void): TrainerHandle;
}

export interface TrainerProcessOptions {
  /** Choices that the trainer made, such as its device. */
  readonly onAnnouncement?: (text: string) => void;
  readonly onWarning?: (text: string) => void;
  /** Time between asking to stop and killing. */
  readonly stopGraceMs?: number;
  /** The program to start; the built trainer-main by default. */
  readonly program?: string;
}

// The same relative path from src/ and from dist/: trainers always run the built program.
const TRAINER_PROGRAM = fileURLToPath(new URL('../../dist/trainer/trainer-main.js', import.meta.url));
const STOP_GRACE_MS = 5_000;
/** A process that has sent its result has nothing left to do. */
const LEAVE_GRACE_MS = 5_000;

/** Runs each order in a process of its own, so that a dead trainer is a reported, resumable fact. */
export class TrainerProcess implements Trainer {
  constructor(private readonly options: TrainerProcessOptions = {}) {}

  start(order: TrainerOrder, onProgress: (progress: TrainerProgress) => void): TrainerHandle {
    const program = this.options.program ?? TRAINER_PROGRAM;
    if (!existsSync(program)) {
      throw new FederationError('TRAINER_DIED', 'the trainer program is not built', {
        remedy: 'Run "npm run setup" in the project folder.',
      });
    }
    return new RunningTrainer(program, order, onProgress, this.options);
  }
}

class RunningTrainer implements TrainerHandle {
  readonly finished: Promise<TrainerResult>;
  private readonly process: ChildProcess;
  private readonly lastWords: LastWords;
  private readonly memoryKillsBefore = countMemoryKills();
  private readonly ended: Promise<void>;
  private stopRequested = false;
  private leaveTimer: NodeJS.Timeout | undefined;
  private result: TrainerResult | undefined;
  private failure: FederationError | undefined;

  constructor(
    program: string,
    order: TrainerOrder,
    private readonly onProgress: (progress: TrainerProgress) => void,
    private readonly options: TrainerProcessOptions,
  ) {
    this.process = fork(program, [], {
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      execArgv: [],
      env: trainerEnvironment(),
    });
    this.lastWords = new LastWords(this.process);
    this.process.on('message', (message) => this.receive(message as TrainerMessage));
    // Messages may still be in the channel when the process has exited: both must be over.
    this.ended = Promise.all([once(this.process, 'close'), once(this.process, 'disconnect')]).then(() => undefined);
    this.finished = this.settle();
    this.finished.catch(() => undefined); // whoever awaits it gets the error; nobody awaiting is no crash
    this.process.send(order, (error) => {
      if (error !== null) this.process.kill('SIGKILL');
    });
  }

  get pid(): number | undefined {
    return this.process.pid;
  }

  async stop(): Promise<void> {
    this.stopRequested = true;
    this.process.kill('SIGTERM');
    const timer = setTimeout(() => this.process.kill('SIGKILL'), this.options.stopGraceMs ?? STOP_GRACE_MS);
    await this.finished.catch(() => undefined);
    clearTimeout(timer);
  }

  private receive(message: TrainerMessage): void {
    switch (message.kind) {
      case 'progress':
        return this.onProgress(message);
      case 'announcement':
        return this.options.onAnnouncement?.(message.text);
      case 'warning':
        return this.options.onWarning?.(message.text);
      case 'result':
        this.result = message.result;
        return this.expectLeave();
      case 'failed':
        this.failure = rebuildFailure(message);
        return this.expectLeave();
    }
  }

  private expectLeave(): void {
    this.leaveTimer = setTimeout(() => this.process.kill('SIGKILL'), LEAVE_GRACE_MS);
  }

  private async settle(): Promise<TrainerResult> {
    await Promise.race([this.ended, rejectOnSpawnError(this.process)]);
    clearTimeout(this.leaveTimer);
    if (this.result !== undefined) return this.result;
    throw this.failure ?? this.explain();
  }

  private explain(): FederationError {
    return explainExit({
      exitCode: this.process.exitCode,
      signal: this.process.signalCode,
      lastWords: this.lastWords.text(),
      stopRequested: this.stopRequested,
      memoryKill: countMemoryKills() > this.memoryKillsBefore,
    });
  }
}

function once(process: ChildProcess, event: 'close' | 'disconnect'): Promise<void> {
  return new Promise((resolve) => process.once(event, () => resolve()));
}

function rejectOnSpawnError(process: ChildProcess): Promise<never> {
  return new Promise((_resolve, reject) => {
    process.once('error', (cause) => {
      reject(new FederationError('TRAINER_DIED', 'the trainer process could not be started', { cause, retryable: true }));
    });
  });
}

/** The CUDA libraries must be findable before the process starts; a missing runtime is the trainer's own to report. */
function trainerEnvironment(): NodeJS.ProcessEnv {
  const inherited = inheritedEnvironment();
  try {
    return { ...inherited, ...runtimeEnvironment(locateRuntime(runtimeSearch()), inherited['LD_LIBRARY_PATH']) };
  } catch {
    return inherited;
  }
}
