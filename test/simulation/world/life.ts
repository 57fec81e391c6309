import type { AlarmClock, Cancel } from '@consilium/shared/kernel';
import type { Schedule } from './schedule.js';

/** Thrown by ports that answer at once when their process is dead: whatever the program still does comes to nothing. */
export class ProcessDied extends Error {}

/** Decides what becomes of a process at each of its durable writes. */
export type FateAtWrite = (process: string, what: string) => 'dies-before' | 'dies-after' | 'lives';

/**
 * One run of one process, from its start to its death. A dead process neither hears nor does anything: its clock is silent, its
 * promises stay open for ever, and its writes fail.
 */
export class Life {
  private over = false;
  private readonly deathListeners: (() => void)[] = [];
  readonly clock: AlarmClock;

  constructor(
    readonly process: string,
    schedule: Schedule,
    private readonly fate: FateAtWrite,
    /** By how much the clock of the process's machine is wrong. */
    skewMs = 0,
  ) {
    this.clock = {
      // Whole, as a real clock's.
      nowMs: () => schedule.nowMs + Math.round(skewMs),
      after: (delayMs, run) => schedule.after(delayMs, () => this.ifAlive(run)),
      every: (intervalMs, run) => this.every(intervalMs, run),
    };
  }

  get isOver(): boolean {
    return this.over;
  }

  onDeath(listener: () => void): void {
    this.deathListeners.push(listener);
  }

  end(): void {
    if (this.over) return;
    this.over = true;
    for (const listener of this.deathListeners) listener();
  }

  ifAlive(run: () => void): void {
    if (!this.over) run();
  }

  /** The promise as the process hears it: never again once it is dead. */
  hear<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      promise.then(
        (value) => this.ifAlive(() => resolve(value)),
        (reason: Error) => this.ifAlive(() => reject(reason)),
      );
    });
  }

  /** Resolves after some simulated time. */
  takes(delayMs: number): Promise<void> {
    return new Promise((resolve) => void this.clock.after(delayMs, resolve));
  }

  /** A durable write that is done at once; the process may die before or after it. */
  writeNow<T>(what: string, write: () => T): T {
    this.requireAlive();
    const fate = this.fate(this.process, what);
    if (fate === 'dies-before') this.end();
    this.requireAlive();
    const result = write();
    if (fate === 'dies-after') this.end();
    this.requireAlive();
    return result;
  }

  /** A durable write that takes a while; the process may die before or after it. */
  write<T>(what: string, takesMs: number, write: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.clock.after(takesMs, () => {
        try {
          resolve(this.writeNow(what, write));
        } catch (error) {
          if (!this.over) reject(error instanceof Error ? error : new Error(String(error)));
        }
      });
    });
  }

  requireAlive(): void {
    if (this.over) throw new ProcessDied(`${this.process} is dead`);
  }

  private every(intervalMs: number, run: () => void): Cancel {
    let cancel: Cancel = () => undefined;
    let isCancelled = false;
    const next = (): void => {
      cancel = this.clock.after(intervalMs, () => {
        run();
        if (!isCancelled) next();
      });
    };
    next();
    return () => {
      isCancelled = true;
      cancel();
    };
  }
}
