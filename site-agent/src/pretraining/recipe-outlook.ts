/**
 * What the validations so far say about the next steps: the rate that a plateau has left, the best step, the early stop. All of
 * it is folded from the list of losses, so that a resumed training decides as the undisturbed one did.
 */
import { lookAtLoss, startPlateau } from '../training/schedules/plateau.js';
import { rateFactorAt } from '../training/schedules/rate-factor.js';
import type { PretrainTraining } from './pretrain-recipe.js';
import type { RecipeClock } from './recipe-clock.js';

export interface RecipeOutlook {
  /** What a plateau has left of the learning rate; all of it without one. */
  readonly plateauRate: number;
  /** The step with the lowest validation loss; undefined before the first validation. */
  readonly bestStep: number | undefined;
  readonly bestLoss: number;
  /** True when the loss has not been better for as many epochs as the recipe puts up with. */
  readonly stop: boolean;
}

export function recipeOutlook(
  validations: readonly { readonly step: number; readonly loss: number }[],
  training: PretrainTraining,
  { stepsPerEpoch }: Pick<RecipeClock, 'stepsPerEpoch'>,
): RecipeOutlook {
  const { schedule, optimizer, earlyStopEpochs } = training;
  let plateau = startPlateau(optimizer.learningRate);
  let [bestStep, bestLoss]: [number | undefined, number] = [undefined, Infinity];
  for (const { step, loss } of validations) {
    if (loss < bestLoss) [bestStep, bestLoss] = [step, loss];
    if (schedule.kind !== 'plateau') continue;
    const { factor, patience, minimumDelta: threshold, floor: minimumRate } = schedule;
    // Keras cuts in the look in which its patience is used up, PyTorch in the one after it.
    const cut = { factor, patience: patience - 1, threshold, thresholdMode: 'absolute', minimumRate } as const;
    plateau = lookAtLoss(plateau, loss, { ...cut, cooldown: 0, minimumCut: 0 });
  }
  const last = validations.at(-1)?.step ?? 0;
  const since = last - (bestStep ?? 0);
  return { plateauRate: plateau.rate, bestStep, bestLoss, stop: since > 0 && since >= earlyStopEpochs * stepsPerEpoch };
}

/** The learning rate of a step, counted from 0. */
export function rateInRecipe(
  plateauRate: number,
  { schedule, optimizer }: Pick<PretrainTraining, 'schedule' | 'optimizer'>,
  { stepsPerEpoch, totalSteps }: Pick<RecipeClock, 'stepsPerEpoch' | 'totalSteps'>,
  step: number,
): number {
  if (schedule.kind === 'plateau') return plateauRate;
  if (schedule.kind !== 'epochs') return optimizer.learningRate * rateFactorAt(schedule, step, totalSteps);
  return optimizer.learningRate * schedule.factor ** Math.floor(Math.floor(step / stepsPerEpoch) / schedule.every);
}
