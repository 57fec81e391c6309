import { availableParallelism } from 'node:os';

/** Threads for each of several processes side by side, one at least; undefined (all cores) for a process alone without a limit. */
export function shareThreads(threads: number | undefined, processes: number): number | undefined {
  if (processes <= 1) return threads;
  return Math.max(1, Math.floor((threads ?? availableParallelism()) / processes));
}
