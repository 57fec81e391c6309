/**
 * What the validations so far say about the next steps: learning rate, best step, early stop (spec A7's schedule). All of it
 * is folded from the list of losses, so that a resumed run decides as the undisturbed one did.
 */
import { lookAtLoss, type PlateauSettings, startPlateau } from '../training/schedules/plateau.js';
import { rateFactorAt } from '../training/schedules/rate-factor.js';
import type { FinetuneTraining } from './segmentation-task.js';

export interface Outlook {
  /** What the plateau has left of the learning rate. */
  readonly learningRate: number;
  /** The step with the lowest validation loss; undefined before the first validation. */
  readonly bestStep: number | undefined;
  readonly bestLoss: number;
  /** True when the loss has not improved for `earlyStopPatience` validations. */
  readonly stop: boolean;
}

export function outlook(
  validations: readonly { readonly step: number; readonly loss: number }[],
  plan: Pick<FinetuneTraining, 'learningRate' | 'plateau' | 'earlyStopPatience'>,
): Outlook {
  const settings = plateauSettings(plan.plateau);
  let plateau = startPlateau(plan.learningRate);
  let [bestStep, bestLoss]: [number | undefined, number] = [undefined, Infinity];
  let sinceBetter = 0;
  for (const { step, loss } of validations) {
    if (loss < bestLoss) [bestStep, bestLoss] = [step, loss];
    const { best } = plateau;
    plateau = lookAtLoss(plateau, loss, settings);
    sinceBetter = plateau.best === best ? sinceBetter + 1 : 0;
  }
  return { learningRate: plateau.rate, bestStep, bestLoss, stop: sinceBetter >= plan.earlyStopPatience };
}

/** The learning rate of a step, counted from 0: what the plateau has left of it, times the schedule's factor. */
export function rateOfStep(
  plateauRate: number,
  { schedule, steps }: Pick<FinetuneTraining, 'schedule' | 'steps'>,
  step: number,
): number {
  return plateauRate * rateFactorAt(schedule, step, steps);
}

/** Keras' plateau, which Models Genesis used: the rate is cut in the look in which its patience is used up, not after it. */
function plateauSettings({ factor, patience, minimumDelta, floor }: FinetuneTraining['plateau']): PlateauSettings {
  return {
    factor,
    patience: patience - 1,
    threshold: minimumDelta,
    thresholdMode: 'absolute',
    cooldown: 0,
    minimumRate: floor,
    minimumCut: 0,
  };
}
