import { type NormChoice, normGroups } from '@consilium/shared/models';
import type { StatisticsOver } from '../engine/ops/normalise.js';

/** What every norm of a network does. */
export interface NormPlan {
  readonly choice: NormChoice;
  /** Running statistics are gathered in training and used instead of the batch's otherwise. */
  readonly running: boolean;
}

/** Groups of one channel each are instance norm. */
export function statisticsOver({ choice }: NormPlan, channels: number): StatisticsOver {
  if (choice.norm !== 'group') return choice.norm;
  const groups = normGroups(choice, channels);
  return groups === channels ? 'instance' : { groups };
}

/**
 * True when a bias before the norm has no effect, because it is subtracted again with the mean. Group norm mixes channels with
 * different biases, and a running mean of another program holds the bias: there it counts.
 */
export function hidesBias({ choice, running }: NormPlan): boolean {
  return choice.norm === 'instance' || (choice.norm === 'batch' && !running);
}

/** True when no norm mixes the examples of a batch in training. */
export function keepsExamplesApart({ choice }: NormPlan): boolean {
  return choice.norm !== 'batch';
}
