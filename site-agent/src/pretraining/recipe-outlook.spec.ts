import { pretrainRecipeSchema, type PretrainTraining } from './pretrain-recipe.js';
import { recipeClock } from './recipe-clock.js';
import { rateInRecipe, recipeOutlook } from './recipe-outlook.js';

const recipeOf = (training: object, validation: object = {}) =>
  pretrainRecipeSchema.parse({ name: 'r', model: { architecture: 'genesis-unet3d', width: 2 }, training, validation });
const trainingOf = (training: object): PretrainTraining => recipeOf(training).training;

/** One validation an epoch of ten steps. */
const validations = (...losses: number[]) => losses.map((loss, index) => ({ step: 10 * (index + 1), loss }));
const EPOCH = { stepsPerEpoch: 10 };

describe('recipeClock', () => {
  it('counts an epoch as the whole batches of the wanted patches', () => {
    expect(recipeClock(recipeOf({ batchSize: 6, patchesPerVolume: 32, epochs: 5 }), 4)).toEqual({
      pairsPerStep: 6,
      stepsPerEpoch: 21,
      totalSteps: 105,
      validateEverySteps: 21,
    });
  });

  it('ends with the steps where they are fewer, and has one step an epoch at least', () => {
    const recipe = recipeOf(
      { batchSize: 4, accumulateBatches: 3, patchesPerVolume: 1, epochs: 50, steps: 20 },
      { everyEpochs: 5 },
    );
    expect(recipeClock(recipe, 3)).toEqual({ pairsPerStep: 12, stepsPerEpoch: 1, totalSteps: 20, validateEverySteps: 5 });
  });
});

describe('recipeOutlook', () => {
  it('keeps the step with the lowest loss, the first of equals, and is open before the first look', () => {
    const training = trainingOf({});
    expect(recipeOutlook([], training, EPOCH)).toMatchObject({ bestStep: undefined, bestLoss: Infinity, stop: false });
    expect(recipeOutlook(validations(0.3, 0.1, 0.2, 0.1), training, EPOCH)).toMatchObject({ bestStep: 20, bestLoss: 0.1 });
  });

  it('stops after as many epochs without a better loss as the recipe says', () => {
    const training = trainingOf({ earlyStopEpochs: 3 });
    const stopAfter = (...losses: number[]): boolean => recipeOutlook(validations(...losses), training, EPOCH).stop;
    expect([stopAfter(0.3, 0.1, 0.2, 0.2), stopAfter(0.3, 0.1, 0.2, 0.2, 0.1)]).toEqual([false, true]);
    // Validations every second epoch count the epochs, not themselves.
    const sparse = [20, 40, 60].map((step) => ({ step, loss: step }));
    expect(recipeOutlook(sparse.slice(0, 2), training, EPOCH).stop).toBe(false);
    expect(recipeOutlook(sparse, training, EPOCH).stop).toBe(true);
  });

  it('halves the rate on a plateau as Keras does, and never below the floor', () => {
    const training = trainingOf({
      optimizer: { kind: 'sgd', learningRate: 1 },
      schedule: { kind: 'plateau', patience: 2, floor: 0.3 },
    });
    const rateAfter = (...losses: number[]): number => recipeOutlook(validations(...losses), training, EPOCH).plateauRate;
    expect(rateAfter(0.5, 0.5)).toBe(1);
    expect(rateAfter(0.5, 0.5, 0.49995)).toBe(0.5); // better by less than 1e-4 is not better
    expect(rateAfter(0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5)).toBe(0.3);
    expect(rateInRecipe(0.5, training, { stepsPerEpoch: 10, totalSteps: 100 }, 99)).toBe(0.5);
  });
});

describe('rateInRecipe', () => {
  it('follows a schedule of steps to the end of all steps', () => {
    const training = trainingOf({
      optimizer: { kind: 'adam', learningRate: 0.1 },
      steps: 1000,
      schedule: { kind: 'polynomial', power: 1 },
    });
    const clock = { stepsPerEpoch: 10, totalSteps: 100 };
    expect([0, 50, 100].map((step) => rateInRecipe(NaN, training, clock, step))).toEqual([0.1, 0.05, 0]);
  });
});
