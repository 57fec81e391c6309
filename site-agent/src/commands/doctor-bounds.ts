import { FederationError, formatDuration } from '@consilium/shared/kernel';
import type { Check } from '@consilium/shared/terminal';

/**
 * Runs a check that may hang, on a dead network folder or a silent line: after its time it is told to stop, is waited for no longer,
 * and is said to have been cut. What it throws becomes a failed line.
 */
export async function within(
  name: string,
  limitMs: number,
  look: (signal: AbortSignal) => Promise<readonly Check[]>,
): Promise<readonly Check[]> {
  const stop = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const cut = new Promise<readonly Check[]>((resolve) => {
    timer = setTimeout(() => {
      resolve([cutCheck(name, limitMs)]);
      stop.abort();
    }, limitMs);
  });
  try {
    return await Promise.race([look(stop.signal), cut]);
  } catch (thrown) {
    const { message, remedy, code } = FederationError.from(thrown);
    return [{ name, status: 'failed', finding: message, remedy, code }];
  } finally {
    clearTimeout(timer);
  }
}

function cutCheck(name: string, limitMs: number): Check {
  const remedy =
    'Something it waits for does not answer: a network folder that is gone, or a line that swallows what is sent. Run it again.';
  return { name, status: 'warning', finding: `took longer than ${formatDuration(limitMs)} and was cut`, remedy };
}
