import { binaryCrossEntropy } from './binary-cross-entropy.js';
import { crossEntropy } from './cross-entropy.js';
import { sigmoidFocal, softmaxFocal } from './focal.js';
import type { Loss } from './loss.js';
import type { LossChoice, LossName } from './loss-plan.js';
import { sumOfLosses } from './loss-sum.js';
import { meanAbsoluteError } from './mean-absolute-error.js';
import { linearMeanSquaredError, meanSquaredError } from './mean-squared-error.js';
import { softDice } from './soft-dice.js';
import { softmaxDice } from './softmax-dice.js';

/** The loss that a plan describes or merely names; options left out have the defaults of the plan's schema. */
export function createLoss(choice: LossChoice | LossName): Loss {
  const plan = typeof choice === 'string' ? ({ kind: choice } as LossChoice) : choice; // no kind has an option that must be given
  switch (plan.kind) {
    case 'mse':
      return meanSquaredError;
    case 'mse-linear':
      return linearMeanSquaredError;
    case 'l1':
      return meanAbsoluteError;
    case 'bce':
      return binaryCrossEntropy;
    case 'dice':
      return softDice;
    case 'dice-bce':
      return sumOfLosses(softDice, binaryCrossEntropy);
    case 'focal':
      return sigmoidFocal(plan);
    case 'cross-entropy':
      return crossEntropy(plan);
    case 'softmax-focal':
      return softmaxFocal(plan);
    case 'softmax-dice':
      return softmaxDice(plan);
    case 'dice-ce':
      return sumOfLosses(softmaxDice(plan), crossEntropy(plan), [plan.diceWeight ?? 1, plan.crossEntropyWeight ?? 1]);
  }
}
