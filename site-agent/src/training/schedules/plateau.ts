/**
 * The learning rate is cut when a loss stops falling: PyTorch's ReduceLROnPlateau in its mode "min", as a pure function over a
 * state of plain numbers, which goes into JSON and back unchanged.
 */

export interface PlateauSettings {
  /** What is left of the rate after a cut, below 1. */
  readonly factor: number;
  /** Looks without a better loss that are put up with; the next one cuts. */
  readonly patience: number;
  /** By how much a loss must lie below the best one to count as better. */
  readonly threshold: number;
  /** The threshold is a share of the best loss, or in the loss's own unit. */
  readonly thresholdMode: 'relative' | 'absolute';
  /** Looks after a cut that do not count against the loss. */
  readonly cooldown: number;
  /** The rate is never cut below this. */
  readonly minimumRate: number;
  /** Cuts by no more than this are not made. */
  readonly minimumCut: number;
}

export interface PlateauState {
  readonly rate: number;
  /** The loss that others must beat; null before the first. */
  readonly best: number | null;
  /** Looks since a better loss, since a cut or in a cooldown. */
  readonly badLooks: number;
  readonly cooldownLeft: number;
}

export function startPlateau(rate: number): PlateauState {
  return { rate, best: null, badLooks: 0, cooldownLeft: 0 };
}

/** The state after one more look at the loss; a loss that is NaN is never better. */
export function lookAtLoss(state: PlateauState, loss: number, settings: PlateauSettings): PlateauState {
  const better = isBetter(loss, state.best, settings);
  const best = better ? loss : state.best;
  const cooling = state.cooldownLeft > 0;
  const cooldownLeft = cooling ? state.cooldownLeft - 1 : 0;
  const badLooks = better || cooling ? 0 : state.badLooks + 1;
  if (badLooks <= settings.patience) return { rate: state.rate, best, badLooks, cooldownLeft };
  return { rate: cutRate(state.rate, settings), best, badLooks: 0, cooldownLeft: settings.cooldown };
}

function isBetter(loss: number, best: number | null, { threshold, thresholdMode }: PlateauSettings): boolean {
  if (best === null) return loss < Infinity;
  return loss < (thresholdMode === 'relative' ? best * (1 - threshold) : best - threshold);
}

function cutRate(rate: number, { factor, minimumRate, minimumCut }: PlateauSettings): number {
  const cut = Math.max(rate * factor, minimumRate);
  return rate - cut > minimumCut ? cut : rate;
}
