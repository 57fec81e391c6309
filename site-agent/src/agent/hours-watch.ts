import type { AlarmClock, Cancel } from '@consilium/shared/kernel';
import type { Hours } from '../config/site-hours.js';

/** The clock may be set, and the machine may sleep: nothing is waited for longer than this without another look. */
const LONGEST_WAIT_MS = 10 * 60_000;

/** Tells when the hours in which this site trains begin and end. */
export class HoursWatch {
  private cancel: Cancel = () => undefined;

  constructor(
    /** As they are now; undefined where the site trains at any time. */
    private readonly hours: () => Hours | undefined,
    private readonly clock: AlarmClock,
    private readonly changed: () => void,
  ) {}

  /** Time until the site trains again; undefined while it does. */
  restsForMs(): number | undefined {
    const restsForMs = this.hours()?.restsForMs(this.clock.nowMs()) ?? 0;
    return restsForMs > 0 ? restsForMs : undefined;
  }

  begin(): void {
    const waitMs = Math.min(LONGEST_WAIT_MS, this.hours()?.changesInMs(this.clock.nowMs()) ?? LONGEST_WAIT_MS);
    const rested = this.restsForMs() !== undefined;
    this.cancel = this.clock.after(waitMs, () => {
      this.begin();
      if ((this.restsForMs() !== undefined) !== rested) this.changed();
    });
  }

  end(): void {
    this.cancel();
  }
}
