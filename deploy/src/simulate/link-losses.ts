import type { Disturbance } from './disturbance-trace.js';

/** Notes when sites lose the coordinator without a trace having said so: what a recording holds beside the trace itself. */
export class LinkLosses {
  private readonly since = new Map<string, number>();
  private readonly found: Disturbance[] = [];

  /** To be told often; `isExpected` says that a disturbance under way explains it. */
  note(site: string, isConnected: boolean, isExpected: boolean, atSeconds: number): void {
    const since = this.since.get(site);
    if (isConnected || isExpected) {
      this.since.delete(site);
      if (since !== undefined && isConnected) this.keep(site, since, atSeconds);
    } else if (since === undefined) {
      this.since.set(site, atSeconds);
    }
  }

  /** All losses as cuts; one that lasts ends now. */
  finish(atSeconds: number): Disturbance[] {
    for (const [site, since] of this.since) this.keep(site, since, atSeconds);
    this.since.clear();
    return [...this.found];
  }

  private keep(site: string, fromSeconds: number, untilSeconds: number): void {
    if (untilSeconds > fromSeconds) this.found.push({ site, fromSeconds, untilSeconds, kind: 'cut' });
  }
}
