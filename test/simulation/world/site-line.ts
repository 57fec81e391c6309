import type { Random } from '@consilium/shared/kernel';
import type { Schedule } from './schedule.js';

/** How bad a line is. */
export interface LineQuality {
  readonly latencyMs: readonly [shortest: number, longest: number];
  /** Share of messages that never arrive. */
  readonly lost: number;
  /** Share of messages that arrive twice. */
  readonly doubled: number;
}

/** Milliseconds since the world began in which nothing gets through. */
export interface Cut {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Silence after which both ends take a connection for dead, as the heartbeats do. */
const SILENCE_MS = 15_000;

/** The network between one site and the coordinator. Latencies vary, so messages overtake each other. */
export class SiteLine {
  private readonly silenceListeners = new Set<() => void>();

  constructor(
    private readonly schedule: Schedule,
    private readonly random: Random,
    private readonly quality: LineQuality,
    private readonly cuts: readonly Cut[],
  ) {
    for (const cut of cuts.filter(({ fromMs, toMs }) => toMs - fromMs > SILENCE_MS)) {
      schedule.after(cut.fromMs + SILENCE_MS, () => this.silenceListeners.forEach((listener) => listener()));
    }
  }

  get isCut(): boolean {
    const nowMs = this.schedule.elapsedMs;
    return this.cuts.some(({ fromMs, toMs }) => nowMs >= fromMs && nowMs < toMs);
  }

  latencyMs(): number {
    return this.random.between(...this.quality.latencyMs);
  }

  /** Brings a message to the other end: once, twice or not at all. */
  carry(arrive: () => void): void {
    if (this.isCut || this.random.chance(this.quality.lost)) return;
    this.deliver(arrive);
    if (this.random.chance(this.quality.doubled)) this.deliver(arrive);
  }

  /** Brings something that the transport itself sees to: it arrives unless the line is cut. */
  bring(arrive: () => void): void {
    if (!this.isCut) this.deliver(arrive);
  }

  /** Calls back when the line has been cut for so long that a connection over it is dead; returns how to stop. */
  onSilence(listener: () => void): () => void {
    this.silenceListeners.add(listener);
    return () => void this.silenceListeners.delete(listener);
  }

  private deliver(arrive: () => void): void {
    this.schedule.after(this.latencyMs(), () => {
      if (!this.isCut) arrive();
    });
  }
}
