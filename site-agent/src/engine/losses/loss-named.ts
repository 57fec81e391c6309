import { sumAndFree } from '../activation.js';
import { binaryCrossEntropy } from './cross-entropy.js';
import type { Loss } from './loss.js';
import { meanSquaredError } from './mean-squared-error.js';
import { softDice } from './soft-dice.js';

/** The losses by name; `dice-bce` is the plain sum of soft Dice and binary cross-entropy. */
export const LOSSES = {
  mse: meanSquaredError,
  bce: binaryCrossEntropy,
  dice: softDice,
  'dice-bce': sumOf(softDice, binaryCrossEntropy),
} as const satisfies Record<string, Loss>;

export type LossName = keyof typeof LOSSES;

function sumOf(first: Loss, second: Loss): Loss {
  return {
    separable: first.separable && second.separable,
    evaluate: (runtime, logits, target, share) => {
      const a = first.evaluate(runtime, logits, target, share);
      const b = second.evaluate(runtime, logits, target, share);
      return { loss: a.loss + b.loss, gradient: sumAndFree(runtime, a.gradient, b.gradient) };
    },
  };
}
