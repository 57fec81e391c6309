import { type Clock, FederationError } from '@consilium/shared/kernel';

/** Tests of all sites that are received at a time. */
const AT_ONCE = 4;
/** Tests of one site within {@link WINDOW_MS}: a doctor makes two. */
const PER_WINDOW = 10;
const WINDOW_MS = 60_000;

/** How often sites may test their line, so that a test can slow no update down for long. Only in memory. */
export class LineTestTurns {
  private active = 0;
  private readonly begunAtMs = new Map<string, number[]>();

  constructor(private readonly clock: Clock) {}

  /** Returns what ends the turn. Throws COORDINATOR_BUSY, which passes by itself. */
  take(siteId: string): () => void {
    const nowMs = this.clock.nowMs();
    const recent = (this.begunAtMs.get(siteId) ?? []).filter((atMs) => atMs > nowMs - WINDOW_MS);
    if (recent.length >= PER_WINDOW)
      throw busy('this site has tested its line often enough for a minute', { perMinute: PER_WINDOW });
    if (this.active >= AT_ONCE) throw busy('other sites are testing their lines', { atOnce: AT_ONCE });
    this.begunAtMs.set(siteId, [...recent, nowMs]);
    this.active++;
    let hasEnded = false;
    return () => {
      if (!hasEnded) this.active--;
      hasEnded = true;
    };
  }
}

function busy(message: string, details: Record<string, number>): FederationError {
  return new FederationError('COORDINATOR_BUSY', message, { details, remedy: 'Try again in a minute.' });
}
