import { type Clock, FederationError, formatDuration } from '@consilium/shared/kernel';

/** Wrong passwords that cost nothing; each further one doubles the wait. */
const FREE_FAILURES = 5;
const FIRST_WAIT_MS = 5_000;
const LONGEST_WAIT_MS = 15 * 60_000;
/** Names remembered at a time: made-up ones must not fill the memory. */
const MOST_NAMES = 10_000;

interface Failures {
  readonly count: number;
  readonly untilMs: number;
}

/**
 * Slows down whoever tries passwords, name by name. A name that is not known is slowed like any other, so that nobody learns which
 * there are. Only in memory: a restart forgets it, and a password's own digest stays slow.
 */
export class SignInPace {
  private readonly failures = new Map<string, Failures>();

  constructor(private readonly clock: Clock) {}

  /** Throws OPERATOR_REFUSED with the wait while the name has to wait. */
  require(name: string): void {
    const waitMs = (this.failures.get(name)?.untilMs ?? 0) - this.clock.nowMs();
    if (waitMs <= 0) return;
    throw new FederationError('OPERATOR_REFUSED', 'too many wrong passwords for this name', {
      details: { retryInMs: waitMs },
      remedy: `Wait ${formatDuration(waitMs)}; if these were not your attempts, tell whoever keeps the accounts.`,
    });
  }

  failed(name: string): void {
    const count = (this.failures.get(name)?.count ?? 0) + 1;
    const waitMs = count < FREE_FAILURES ? 0 : Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (count - FREE_FAILURES));
    this.failures.delete(name); // to the end of the map: the oldest goes first
    this.failures.set(name, { count, untilMs: this.clock.nowMs() + waitMs });
    const [oldest] = this.failures.keys();
    if (this.failures.size > MOST_NAMES && oldest !== undefined) this.failures.delete(oldest);
  }

  succeeded(name: string): void {
    this.failures.delete(name);
  }
}
