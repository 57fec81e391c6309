import { type AlarmClock, systemClock } from '@consilium/shared/kernel';

export interface BackoffPlan {
  /** Upper end of the first delay; each failure doubles it. */
  readonly firstMs: number;
  /** Upper end of every delay. */
  readonly capMs: number;
  /** Lower end of every delay. */
  readonly floorMs: number;
}

/**
 * The cap bounds how long a coordinator that is back waits for its last site: 200 sites are to be ready within 15 s
 * (`npm run bench:operation`), and ask 40 times a second meanwhile, which costs it next to nothing.
 */
export const DEFAULT_BACKOFF: BackoffPlan = { firstMs: 500, capMs: 10_000, floorMs: 100 };

/**
 * Exponential backoff with full jitter: uniform between the floor and min(cap, first · 2^failures), so that many agents that lost
 * their coordinator at once do not come back at once.
 * @param failures failed attempts in a row before this delay, 0 for the first.
 * @param uniform a random number in [0, 1).
 */
export function backoffDelayMs(failures: number, uniform: number, plan: BackoffPlan = DEFAULT_BACKOFF): number {
  const ceiling = Math.min(plan.capMs, plan.firstMs * 2 ** Math.min(failures, 30));
  return plan.floorMs + uniform * Math.max(0, ceiling - plan.floorMs);
}

/** Resolves after the delay, or at once when the signal is aborted; never rejects. */
export function pause(delayMs: number, signal?: AbortSignal, clock: AlarmClock = systemClock): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const end = (): void => {
      cancel();
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const cancel = clock.after(delayMs, end);
    signal?.addEventListener('abort', end);
  });
}
