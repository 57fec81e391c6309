import type { Cancel } from '@consilium/shared/kernel';

interface Happening {
  readonly atMs: number;
  /** Breaks ties: what was planned first happens first. */
  readonly order: number;
  run: (() => void) | undefined;
}

/** Simulated time starts here. */
const EPOCH_MS = Date.UTC(2027, 0, 1);

/**
 * Everything that will happen in a world, by time. One thing happens after the other: all that follows from it without waiting
 * (promises that settle at once) is over before the next, so that the same plan always gives the same history.
 */
export class Schedule {
  nowMs = EPOCH_MS;
  /** Things that have happened. */
  happened = 0;
  private planned = 0;
  private readonly heap: Happening[] = [];

  /** Milliseconds since the world began. */
  get elapsedMs(): number {
    return this.nowMs - EPOCH_MS;
  }

  after(delayMs: number, run: () => void): Cancel {
    // Whole milliseconds: what the programs store is whole too.
    const happening: Happening = { atMs: this.nowMs + Math.max(0, Math.round(delayMs)), order: this.planned++, run };
    this.push(happening);
    return () => {
      happening.run = undefined;
    };
  }

  /** Lets things happen until the condition holds; false when nothing is planned any more or the time has come first. */
  async runUntil(isOver: () => boolean, limitMs: number): Promise<boolean> {
    const untilMs = this.nowMs + limitMs;
    await consequences();
    while (!isOver()) {
      const next = this.heap[0];
      if (next === undefined || next.atMs > untilMs) {
        this.nowMs = untilMs;
        return false;
      }
      this.pop();
      if (next.run === undefined) continue;
      this.nowMs = next.atMs;
      this.happened++;
      next.run();
      await consequences();
    }
    return true;
  }

  private push(happening: Happening): void {
    const { heap } = this;
    let at = heap.push(happening) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (isBefore(heap[above] as Happening, happening)) break;
      heap[at] = heap[above] as Happening;
      at = above;
    }
    heap[at] = happening;
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop() as Happening;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && isBefore(heap[below + 1] as Happening, heap[below] as Happening)) below++;
      if (isBefore(last, heap[below] as Happening)) break;
      heap[at] = heap[below] as Happening;
      at = below;
    }
    heap[at] = last;
  }
}

function isBefore(a: Happening, b: Happening): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/** Resolves when every promise that could settle has settled. */
function consequences(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
