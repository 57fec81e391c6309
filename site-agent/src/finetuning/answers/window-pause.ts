import type { OrderContext } from '../../trainer/order-context.js';
import { letEventsIn, obeyStop } from '../../training/train.js';

/** Two lines a second are enough for people. */
const REPORT_MS = 500;

/**
 * What happens between the windows of an image: a stop is obeyed, and now and then it is told how far the work is: `index` images and
 * a share of this one, of `total`.
 */
export function pauseOf(
  context: Pick<OrderContext, 'stop' | 'report'>,
  phase: 'validating' | 'segmenting',
  { index, total }: { readonly index: number; readonly total: number },
): (share: number) => Promise<void> {
  let toldMs = performance.now();
  return async (share) => {
    await letEventsIn();
    obeyStop(context.stop);
    if (performance.now() - toldMs < REPORT_MS) return;
    toldMs = performance.now();
    context.report(phase, index + share, total);
  };
}
