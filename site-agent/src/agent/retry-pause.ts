import type { AlarmClock, Cancel } from '@consilium/shared/kernel';
import { backoffDelayMs, type BackoffPlan } from '../link/backoff.js';

/** Holds one failed step back for a growing, jittered while; any other step ends the pause. */
export class RetryPause {
  private key: string | undefined;
  private cancel: Cancel = () => undefined;
  private failures = { key: '', count: 0 };

  constructor(
    private readonly plan: BackoffPlan,
    private readonly clock: AlarmClock,
    private readonly uniform: () => number,
    private readonly over: () => void,
  ) {}

  /** Holds the step back; calls `over` when its time has come. */
  begin(key: string): void {
    const count = this.failures.key === key ? this.failures.count : 0;
    this.failures = { key, count: count + 1 };
    this.end();
    this.key = key;
    this.cancel = this.clock.after(backoffDelayMs(count, this.uniform(), this.plan), () => {
      this.end();
      this.over();
    });
  }

  /** True while this very step is held back. */
  holds(key: string): boolean {
    return this.key === key;
  }

  end(): void {
    this.cancel();
    this.key = undefined;
  }

  /** A step has succeeded: pauses start short again. */
  forgetFailures(): void {
    this.failures = { key: '', count: 0 };
  }
}
