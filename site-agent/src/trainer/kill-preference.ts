import { writeFileSync } from 'node:fs';

/** Out of −1000…1000, where the kernel kills the highest first. */
const PREFERENCE = '500';

/**
 * When memory runs out, the kernel shall kill this process and not the agent that started it: the work is resumed from its
 * checkpoint, and the site stays connected. Linux only; elsewhere, and where it is not allowed, nothing happens.
 */
export function preferToBeKilled(path = '/proc/self/oom_score_adj'): void {
  try {
    writeFileSync(path, PREFERENCE);
  } catch {
    // a wish, not a need
  }
}
