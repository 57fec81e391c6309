import { FederationError } from '@consilium/shared/kernel';
import { backoffDelayMs, type BackoffPlan, pause } from '../../link/backoff.js';

export interface AttemptPlan {
  /** Failures in a row after which the last error is thrown. */
  readonly attempts: number;
  readonly backoff: BackoffPlan;
  /** Resolves when it is worth trying again on a full disk, which counts as no failure; left out, that ends it. */
  readonly waitForSpace?: ((error: FederationError) => Promise<void>) | undefined;
}

/** An archive is a hospital's clinical tool: better late than a burden. */
export const POLITE_ATTEMPTS: AttemptPlan = { attempts: 5, backoff: { firstMs: 1000, capMs: 30_000, floorMs: 500 } };
const LONGEST_WISH_MS = 120_000;

/**
 * Repeats an attempt whose failure may pass, a few times in a row at most, with growing pauses or the one the archive asks for. An
 * attempt that moved something forward calls `advanced`, after which counting starts again.
 */
export async function fewAttempts<T>(attempt: (advanced: () => void) => Promise<T>, plan: AttemptPlan): Promise<T> {
  let failures = 0;
  for (;;) {
    try {
      return await attempt(() => (failures = 0));
    } catch (thrown) {
      const error = FederationError.from(thrown);
      if (error.code === 'DISK_FULL' && plan.waitForSpace !== undefined) {
        await plan.waitForSpace(error);
        continue;
      }
      failures++;
      if (!error.retryable || error.code === 'DISK_FULL' || failures >= plan.attempts) throw error;
      await pause(Math.max(wishOf(error), backoffDelayMs(failures - 1, Math.random(), plan.backoff)));
    }
  }
}

function wishOf(error: FederationError): number {
  const wish = error.details['retryAfterMs'];
  return typeof wish === 'number' ? Math.min(wish, LONGEST_WISH_MS) : 0;
}
