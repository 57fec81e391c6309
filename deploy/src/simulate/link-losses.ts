import type { Disturbance } from './disturbance-trace.js';

/** Notes when sites lose the coordinator without a trace having said so: what a recording holds beside the trace itself. */
export class LinkLosses {
  /** Sites that are away, and since when; undefined for those whom a disturbance took away. */
  private readonly away = new Map<string, number | undefined>();
  private readonly found: Disturbance[] = [];

  /** To be told often; `isDisturbed` says that a disturbance under way explains a loss, and the time until the site is back. */
  note(site: string, isConnected: boolean, isDisturbed: boolean, atSeconds: number): void {
    if (isDisturbed) this.away.set(site, undefined);
    else if (isConnected) this.comeBack(site, atSeconds);
    else if (!this.away.has(site)) this.away.set(site, atSeconds);
  }

  /** All losses as cuts; one that lasts ends now. */
  finish(atSeconds: number): Disturbance[] {
    for (const site of [...this.away.keys()]) this.comeBack(site, atSeconds);
    return [...this.found];
  }

  private comeBack(site: string, untilSeconds: number): void {
    const fromSeconds = this.away.get(site);
    this.away.delete(site);
    if (fromSeconds !== undefined && untilSeconds > fromSeconds) {
      this.found.push({ site, fromSeconds, untilSeconds, kind: 'cut' });
    }
  }
}
