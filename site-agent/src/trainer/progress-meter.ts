import type { StepTime } from '../training/train.js';
import type { TrainerProgress } from './trainer-messages.js';

const INTERVAL_MS = 250;

/** Thins progress to four messages a second: each carries the mean loss of the steps since the last one, and the share in which they waited. */
export class ProgressMeter {
  private lastPostMs = Number.NEGATIVE_INFINITY;
  private lossSum = 0;
  private losses = 0;
  private totalMs = 0;
  private waitedMs = 0;
  private phase = '';

  constructor(
    private readonly post: (progress: TrainerProgress) => void,
    private readonly nowMs: () => number,
  ) {}

  /** The first and the last step of a phase are always posted. */
  report(phase: string, step: number, steps: number, loss?: number, time?: StepTime): void {
    if (loss !== undefined) {
      this.lossSum += loss;
      this.losses += 1;
    }
    this.totalMs += time?.totalMs ?? 0;
    this.waitedMs += time?.waitedMs ?? 0;
    const due = phase !== this.phase || step >= steps || this.nowMs() - this.lastPostMs >= INTERVAL_MS;
    if (!due) return;
    const mean = this.losses > 0 ? { loss: this.lossSum / this.losses } : {};
    const waited = this.totalMs > 0 ? { waitedShare: this.waitedMs / this.totalMs } : {};
    this.post({ kind: 'progress', phase, step, steps, ...mean, ...waited });
    this.phase = phase;
    this.lastPostMs = this.nowMs();
    this.lossSum = 0;
    this.losses = 0;
    this.totalMs = 0;
    this.waitedMs = 0;
  }
}
