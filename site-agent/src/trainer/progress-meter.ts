import type { StepFigures } from '@consilium/shared/wire';
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
  private figures: MeanFigures = new MeanFigures();

  constructor(
    private readonly post: (progress: TrainerProgress) => void,
    private readonly nowMs: () => number,
  ) {}

  /** The first and the last step of a phase are always posted. */
  report(phase: string, step: number, steps: number, loss?: number, time?: StepTime, figures: StepFigures = {}): void {
    if (loss !== undefined) {
      this.lossSum += loss;
      this.losses += 1;
    }
    this.figures.add(figures);
    this.totalMs += time?.totalMs ?? 0;
    this.waitedMs += time?.waitedMs ?? 0;
    const due = phase !== this.phase || step >= steps || this.nowMs() - this.lastPostMs >= INTERVAL_MS;
    if (!due) return;
    const mean = this.losses > 0 ? { loss: this.lossSum / this.losses } : {};
    const waited = this.totalMs > 0 ? { waitedShare: this.waitedMs / this.totalMs } : {};
    this.post({ kind: 'progress', phase, step, steps, ...mean, ...waited, ...this.figures.take() });
    this.phase = phase;
    this.lastPostMs = this.nowMs();
    this.lossSum = 0;
    this.losses = 0;
    this.totalMs = 0;
    this.waitedMs = 0;
  }
}

/** Means of what steps show, each over the steps that showed it. */
class MeanFigures {
  private sums = new Map<keyof StepFigures, { sum: number; count: number }>();

  add(figures: StepFigures): void {
    for (const [name, value] of Object.entries(figures) as [keyof StepFigures, number][]) {
      const { sum, count } = this.sums.get(name) ?? { sum: 0, count: 0 };
      this.sums.set(name, { sum: sum + value, count: count + 1 });
    }
  }

  /** Begins anew; no member when nothing was shown. */
  take(): { figures?: StepFigures } {
    if (this.sums.size === 0) return {};
    const figures = Object.fromEntries([...this.sums].map(([name, { sum, count }]) => [name, sum / count]));
    this.sums = new Map();
    return { figures };
  }
}
