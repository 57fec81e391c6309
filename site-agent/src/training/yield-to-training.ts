import { readlinkSync } from 'node:fs';
import { constants, setPriority } from 'node:os';

/**
 * Lowers the priority of the calling thread alone, so that it computes where TensorFlow leaves gaps instead of holding one of
 * its threads, and with it the whole operation, back. Linux knows priorities of threads; elsewhere nothing changes.
 */
export function yieldToTraining(): void {
  try {
    const threadId = /\/task\/(\d+)$/.exec(readlinkSync('/proc/thread-self'))?.[1];
    if (threadId !== undefined) setPriority(Number(threadId), constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // Not Linux, or forbidden here.
  }
}
