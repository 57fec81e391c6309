import { type Clock, FederationError } from '@consilium/shared/kernel';
import { tooMany } from '../limits/too-many.js';

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

  /** Returns what ends the turn. Throws TOO_MANY_REQUESTS for a site that tests too often, COORDINATOR_BUSY while others do. */
  take(siteId: string): () => void {
    const nowMs = this.clock.nowMs();
    const recent = (this.begunAtMs.get(siteId) ?? []).filter((atMs) => atMs > nowMs - WINDOW_MS);
    const [oldest = nowMs] = recent;
    if (recent.length >= PER_WINDOW) throw tooMany('requests', oldest + WINDOW_MS - nowMs);
    if (this.active >= AT_ONCE) {
      throw new FederationError('COORDINATOR_BUSY', 'other sites are testing their lines', { remedy: 'Try again in a minute.' });
    }
    this.begunAtMs.set(siteId, [...recent, nowMs]);
    this.active++;
    let hasEnded = false;
    return () => {
      if (!hasEnded) this.active--;
      hasEnded = true;
    };
  }
}
