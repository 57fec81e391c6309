import type { TrainerProgress } from './trainer-messages.js';

const INTERVAL_MS = 250;

/** Thins progress to four messages a second: each carries the mean loss of the steps since the last one. */
export class ProgressMeter {
  private lastPostMs = Number.NEGATIVE_INFINITY;
  private lossSum = 0;
  private losses = 0;
  private phase = '';

  constructor(
    private readonly post: (progress: TrainerProgress) => void,
    private readonly nowMs: () => number,
  ) {}

  /** The first and the last step of a phase are always posted. */
  report(phase: string, step: number, steps: number, loss?: number): void {
    if (loss !== undefined) {
      this.lossSum += loss;
      this.losses += 1;
    }
    const due = phase !== this.phase || step >= steps || this.nowMs() - this.lastPostMs >= INTERVAL_MS;
    if (!due) return;
    const mean = this.losses > 0 ? { loss: this.lossSum / this.losses } : {};
    this.post({ kind: 'progress', phase, step, steps, ...mean });
    this.phase = phase;
    this.lastPostMs = this.nowMs();
    this.lossSum = 0;
    this.losses = 0;
  }
}
