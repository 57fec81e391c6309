import type { StepTime } from './train.js';

/** Waiting longer than this share of the time is worth a word. */
const MOST_SHARE = 0.05;
/** Shorter stretches say little: threads start, files are read for the first time. */
const STRETCH_MS = 60_000;

/** Watches how long steps wait for their batches, and warns once when it is too long. */
export class DataWait {
  private totalMs = 0;
  private waitedMs = 0;
  private hasWarned = false;

  constructor(private readonly warn: (text: string) => void) {}

  note(time: StepTime): void {
    this.totalMs += time.totalMs;
    this.waitedMs += time.waitedMs;
    if (this.totalMs < STRETCH_MS) return;
    if (this.waitedMs > MOST_SHARE * this.totalMs && !this.hasWarned) this.tell(this.waitedMs / this.totalMs);
    this.totalMs = 0;
    this.waitedMs = 0;
  }

  private tell(share: number): void {
    this.hasWarned = true;
    this.warn(
      `training waits for patches ${Math.round(100 * share)} % of its time: put the site's folder on a faster disk, ` +
        'give it more processor threads (--threads), or end other programs on this machine',
    );
  }
}
