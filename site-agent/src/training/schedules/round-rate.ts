import { representationRounds, type RoundPlan } from '@consilium/shared/wire';
import { rateFactorAt } from './rate-factor.js';

/**
 * The learning rate of a round's step, counted from 0 in each round: the schedule's clock runs on from round to round. Rounds that
 * train an adversary alone do not count.
 */
export function rateInRound(
  { objective, training, roundNumber, rounds }: Pick<RoundPlan, 'objective' | 'training' | 'roundNumber' | 'rounds'>,
  step: number,
): number {
  const { optimizer, schedule, steps } = training;
  return (
    optimizer.learningRate *
    rateFactorAt(
      schedule,
      representationRounds(objective, roundNumber - 1) * steps + step,
      representationRounds(objective, rounds) * steps,
    )
  );
}
