import { FederationError } from '@consilium/shared/kernel';
import { backoffDelayMs, type BackoffPlan, DEFAULT_BACKOFF, pause } from './backoff.js';

export interface RetryOptions {
  /** Ends the waiting: the last error is thrown. */
  readonly signal: AbortSignal;
  readonly backoff?: BackoffPlan;
  /** Told before each pause, with the reason's code. */
  readonly onWait?: (error: FederationError, retryInMs: number) => void;
}

/**
 * Repeats an attempt until it succeeds, fails for good (an error that is not retryable) or is aborted. An attempt that moved
 * something forward calls `advanced`, after which the pauses start short again.
 */
export async function retrying<T>(attempt: (advanced: () => void) => Promise<T>, options: RetryOptions): Promise<T> {
  let failures = 0;
  for (;;) {
    try {
      return await attempt(() => (failures = 0));
    } catch (thrown) {
      const error = FederationError.from(thrown, 'TRANSFER_BROKEN');
      if (!error.retryable || options.signal.aborted) throw error;
      const retryInMs = backoffDelayMs(failures++, Math.random(), options.backoff ?? DEFAULT_BACKOFF);
      options.onWait?.(error, retryInMs);
      await pause(retryInMs, options.signal);
      if (options.signal.aborted) throw error;
    }
  }
}
