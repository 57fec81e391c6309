import type { Disturbance } from './disturbance-trace.js';

/** Whoever a disturbance befalls: told each time of all that hold for it. */
export interface Sufferer {
  readonly name: string;
  suffer(disturbances: readonly Disturbance[]): void;
}

/** Begins and ends disturbances when their time comes. `stop` ends those that are left and tells what really was. */
export class TracePlayer {
  private readonly timers: NodeJS.Timeout[] = [];
  private readonly active = new Map<string, Set<Disturbance>>();
  private readonly begun: Disturbance[] = [];
  private startedMs = 0;

  constructor(
    private readonly trace: readonly Disturbance[],
    private readonly sufferers: ReadonlyMap<string, Sufferer>,
  ) {}

  /** The times of the trace count from now. */
  start(): void {
    this.startedMs = performance.now();
    for (const entry of this.trace) {
      this.at(entry.fromSeconds, () => this.begin(entry));
      this.at(entry.untilSeconds, () => this.end(entry));
    }
  }

  /** What disturbs the site now. */
  activeOf(site: string): readonly Disturbance[] {
    return [...(this.active.get(site) ?? [])];
  }

  get elapsedSeconds(): number {
    return (performance.now() - this.startedMs) / 1000;
  }

  /** The disturbances that had begun, each as long as it lasted. */
  stop(): Disturbance[] {
    for (const timer of this.timers) clearTimeout(timer);
    const endedSeconds = Math.round(1000 * this.elapsedSeconds) / 1000;
    return this.begun.map((entry) => ({
      ...entry,
      untilSeconds: Math.min(entry.untilSeconds, Math.max(endedSeconds, entry.fromSeconds + 0.001)),
    }));
  }

  private at(seconds: number, act: () => void): void {
    // Longer waits than a timer can count are longer than any simulation.
    const delayMs = Math.min(1000 * seconds, 2 ** 31 - 1);
    if (delayMs === 0) act();
    else this.timers.push(setTimeout(act, delayMs));
  }

  private begin(entry: Disturbance): void {
    this.begun.push(entry);
    const own = this.active.get(entry.site) ?? new Set<Disturbance>();
    this.active.set(entry.site, own.add(entry));
    this.sufferers.get(entry.site)?.suffer([...own]);
  }

  private end(entry: Disturbance): void {
    const own = this.active.get(entry.site);
    own?.delete(entry);
    this.sufferers.get(entry.site)?.suffer([...(own ?? [])]);
  }
}
