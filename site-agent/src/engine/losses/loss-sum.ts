import { invariant } from '@consilium/shared/kernel';
import { sumAndFree } from '../activation.js';
import type { Loss } from './loss.js';

/** first · weight + second · weight; both must compare with the same kind of target. */
export function sumOfLosses(first: Loss, second: Loss, [firstWeight, secondWeight]: readonly [number, number] = [1, 1]): Loss {
  invariant(first.targetChannels === second.targetChannels, 'losses that are added want the same target');
  return {
    separable: first.separable && second.separable,
    ...(first.targetChannels === undefined ? {} : { targetChannels: first.targetChannels }),
    evaluate: (runtime, logits, target, share) => {
      const a = first.evaluate(runtime, logits, target, share * firstWeight);
      const b = second.evaluate(runtime, logits, target, share * secondWeight);
      return { loss: a.loss + b.loss, gradient: sumAndFree(runtime, a.gradient, b.gradient) };
    },
  };
}
