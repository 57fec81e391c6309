import { formatDuration } from '@consilium/shared/kernel';

const INTERRUPTED_EXIT_CODE = 130;

/**
 * Ends the process at Ctrl-C, for work that keeps every step as soon as it is done. Call what it answers when the work has ended.
 */
export function endOnInterrupt(progress: { finish(): void }): () => void {
  const startedMs = Date.now();
  const end = (): void => {
    progress.finish();
    console.error(`stopped after ${formatDuration(Date.now() - startedMs)}; the same command goes on from here`);
    process.exit(INTERRUPTED_EXIT_CODE);
  };
  process.once('SIGINT', end);
  return () => void process.removeListener('SIGINT', end);
}
