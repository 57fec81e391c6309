import type { RoundPlan } from '@consilium/shared/wire';
import { rateFactorAt } from './rate-factor.js';

/** The learning rate of a round's step, counted from 0 in each round: the schedule's clock runs on from round to round. */
export function rateInRound(
  { training, roundNumber, rounds }: Pick<RoundPlan, 'training' | 'roundNumber' | 'rounds'>,
  step: number,
): number {
  const { optimizer, schedule, steps } = training;
  return optimizer.learningRate * rateFactorAt(schedule, (roundNumber - 1) * steps + step, rounds * steps);
}
