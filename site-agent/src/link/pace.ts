import { setTimeout as pause } from 'node:timers/promises';

/**
 * Holds a sender to so many bytes a second, on average over about a second: awaited before each piece, it resolves when the piece
 * may go. What all callers of one pace send counts together. The pace may change, and have no limit at times.
 */
export function paceOf(
  bytesPerSecond: number | (() => number | undefined),
  nowMs: () => number = () => performance.now(),
): (bytes: number) => Promise<void> {
  const rate = typeof bytesPerSecond === 'number' ? () => bytesPerSecond : bytesPerSecond;
  let freeAtMs = Number.NEGATIVE_INFINITY;
  return async (bytes) => {
    const startMs = Math.max(nowMs(), freeAtMs);
    freeAtMs = startMs + (1000 * bytes) / (rate() ?? Infinity);
    const waitMs = startMs - nowMs();
    if (waitMs > 0) await pause(waitMs);
  };
}
