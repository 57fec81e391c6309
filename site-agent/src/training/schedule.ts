/** The learning rate of a run of epochs, as data; epochs count from zero. */
export type Schedule =
  | { readonly kind: 'constant' }
  /** Multiplied by `factor` after each `everyEpochs` (Models Genesis: 0.5 every 40). */
  | { readonly kind: 'step'; readonly everyEpochs: number; readonly factor: number }
  /** Multiplied by `factor` when the loss has not improved for `patienceEpochs` in a row. */
  | { readonly kind: 'plateau'; readonly patienceEpochs: number; readonly factor: number; readonly minimumRate: number };

/** The published schedule of Models Genesis' PyTorch training. */
export const GENESIS_SCHEDULE: Schedule = { kind: 'step', everyEpochs: 40, factor: 0.5 };

/** The rate for the epoch after the given losses, one per finished epoch; a pure function, so that a resumed run agrees. */
export function rateAfter(schedule: Schedule, initialRate: number, losses: readonly number[]): number {
  switch (schedule.kind) {
    case 'constant':
      return initialRate;
    case 'step':
      return initialRate * schedule.factor ** Math.floor(losses.length / schedule.everyEpochs);
    case 'plateau':
      return Math.max(schedule.minimumRate, initialRate * schedule.factor ** plateaus(losses, schedule.patienceEpochs));
  }
}

/** How often the loss failed to improve for more than `patience` epochs in a row; the count begins anew after each time. */
function plateaus(losses: readonly number[], patience: number): number {
  let [best, waited, count] = [Number.POSITIVE_INFINITY, 0, 0];
  for (const loss of losses) {
    waited = loss < best ? 0 : waited + 1;
    best = Math.min(best, loss);
    if (waited > patience) {
      count += 1;
      waited = 0;
    }
  }
  return count;
}
