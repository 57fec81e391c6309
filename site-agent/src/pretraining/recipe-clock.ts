import type { PretrainRecipe } from './pretrain-recipe.js';

/** How a recipe's steps, epochs and validations lie for a number of volumes. */
export interface RecipeClock {
  /** Patches of one step. */
  readonly pairsPerStep: number;
  readonly stepsPerEpoch: number;
  /** Unless time is up or training stops early before that. */
  readonly totalSteps: number;
  readonly validateEverySteps: number;
}

/**
 * An epoch is ⌊N / batch⌋ steps, N = volumes × patches per volume (spec A6), one at least. Only training volumes count.
 */
export function recipeClock({ training, validation }: PretrainRecipe, trainingVolumes: number): RecipeClock {
  const { batchSize, accumulateBatches = 1, patchesPerVolume, epochs, steps = Infinity } = training;
  const pairsPerStep = batchSize * accumulateBatches;
  const stepsPerEpoch = Math.max(1, Math.floor((trainingVolumes * patchesPerVolume) / pairsPerStep));
  return {
    pairsPerStep,
    stepsPerEpoch,
    totalSteps: Math.min(steps, epochs * stepsPerEpoch),
    validateEverySteps: validation.everyEpochs * stepsPerEpoch,
  };
}
