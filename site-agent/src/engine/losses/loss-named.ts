import { createLoss } from './create-loss.js';
import type { Loss } from './loss.js';
import type { LossChoice } from './loss-plan.js';

export type LossName = LossChoice['kind'];

/** The losses by name, with the defaults of those that take options; `dice-bce` is a plain sum, `dice-ce` too. */
export const LOSSES: Readonly<Record<LossName, Loss>> = {
  mse: createLoss({ kind: 'mse' }),
  'mse-linear': createLoss({ kind: 'mse-linear' }),
  l1: createLoss({ kind: 'l1' }),
  bce: createLoss({ kind: 'bce' }),
  dice: createLoss({ kind: 'dice' }),
  'dice-bce': createLoss({ kind: 'dice-bce' }),
  focal: createLoss({ kind: 'focal' }),
  'cross-entropy': createLoss({ kind: 'cross-entropy' }),
  'softmax-focal': createLoss({ kind: 'softmax-focal' }),
  'softmax-dice': createLoss({ kind: 'softmax-dice' }),
  'dice-ce': createLoss({ kind: 'dice-ce' }),
};
