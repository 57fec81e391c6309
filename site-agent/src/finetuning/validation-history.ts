/**
 * What the validations so far say about the next steps: learning rate, best step, early stop (spec A7's schedule). All of it
 * is folded from the list of losses, so that a resumed run decides as the undisturbed one did.
 */
import { lookAtLoss, type PlateauSettings, startPlateau } from '../training/schedules/plateau.js';
import { rateFactorAt } from '../training/schedules/rate-factor.js';
import type { ValidationScores } from './finetune-history.js';
import type { CommonTraining } from './tasks/finetune-training.js';

export interface Outlook {
  /** What the plateau has left of the learning rate. */
  readonly learningRate: number;
  /** The step with the best validation; undefined before the first validation. */
  readonly bestStep: number | undefined;
  /** What is watched of it, made so that less is better. */
  readonly best: number;
  /** True when nothing better was seen for `earlyStopPatience` validations. */
  readonly stop: boolean;
}

type WatchedValidation = ValidationScores & { readonly step: number };

export function outlook(
  validations: readonly WatchedValidation[],
  plan: Pick<CommonTraining, 'learningRate' | 'plateau' | 'earlyStopPatience' | 'watch'>,
): Outlook {
  const settings = plateauSettings(plan.plateau);
  let plateau = startPlateau(plan.learningRate);
  let [bestStep, least]: [number | undefined, number] = [undefined, Infinity];
  let sinceBetter = 0;
  for (const validation of validations) {
    const value = watchedValue(validation, plan.watch);
    if (value < least) [bestStep, least] = [validation.step, value];
    const { best } = plateau;
    plateau = lookAtLoss(plateau, value, settings);
    sinceBetter = plateau.best === best ? sinceBetter + 1 : 0;
  }
  return { learningRate: plateau.rate, bestStep, best: least, stop: sinceBetter >= plan.earlyStopPatience };
}

/** The loss, or how far a score is from 1: less is better. */
export function watchedValue(scores: ValidationScores, watch: CommonTraining['watch']): number {
  return watch === 'loss' ? scores.loss : 1 - (scores[watch] ?? NaN);
}

/** The learning rate of a step, counted from 0: what the plateau has left of it, times the schedule's factor. */
export function rateOfStep(
  plateauRate: number,
  { schedule, steps }: Pick<CommonTraining, 'schedule' | 'steps'>,
  step: number,
): number {
  return plateauRate * rateFactorAt(schedule, step, steps);
}

/** Keras' plateau, which Models Genesis used: the rate is cut in the look in which its patience is used up, not after it. */
function plateauSettings({ factor, patience, minimumDelta, floor }: CommonTraining['plateau']): PlateauSettings {
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
