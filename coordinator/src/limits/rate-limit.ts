import type { Clock } from '@consilium/shared/kernel';

/** Seconds' worth of what is allowed, saved up while a caller is quiet. */
const BURST_SECONDS = 10;
/** Callers remembered at a time: made-up addresses must not fill the memory. */
const MOST_CALLERS = 10_000;

interface Bucket {
  readonly tokens: number;
  readonly atMs: number;
}

/**
 * So many acts a second and caller, and ten times as many after some quiet: a token bucket for each. On the coordinator's clock, so
 * that a simulated federation is limited by simulated time; a clock that is set back gives and takes nothing.
 */
export class RateLimit {
  private readonly buckets = new Map<string, Bucket>();

  constructor(
    private readonly perSecond: number,
    private readonly clock: Clock,
  ) {}

  /** Takes one token of the caller's; 0 if there was one, else the milliseconds until there is. */
  take(caller: string): number {
    const atMs = this.clock.nowMs();
    const before = this.buckets.get(caller);
    const full = this.perSecond * BURST_SECONDS;
    const gained = before === undefined ? full : (Math.max(0, atMs - before.atMs) / 1000) * this.perSecond;
    const tokens = Math.min(full, (before?.tokens ?? 0) + gained);
    const isAllowed = tokens >= 1;
    this.remember(caller, { tokens: isAllowed ? tokens - 1 : tokens, atMs });
    return isAllowed ? 0 : Math.ceil(((1 - tokens) / this.perSecond) * 1000);
  }

  /** Last in the map: whoever has been quiet for longest is forgotten first. */
  private remember(caller: string, bucket: Bucket): void {
    this.buckets.delete(caller);
    this.buckets.set(caller, bucket);
    if (this.buckets.size <= MOST_CALLERS) return;
    const [quietest] = this.buckets.keys();
    if (quietest !== undefined) this.buckets.delete(quietest);
  }
}
