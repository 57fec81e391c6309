import { placeOfRound, type RoundPlan } from '@consilium/shared/wire';
import { rateFactorAt } from './rate-factor.js';

/**
 * The learning rate of a round's step, counted from 0 in each round: the schedule's clock runs on from round to round, and stands
 * still in adversary rounds.
 */
export function rateInRound(
  { training, objective, roundNumber, rounds }: Pick<RoundPlan, 'training' | 'objective' | 'roundNumber' | 'rounds'>,
  step: number,
): number {
  const { optimizer, schedule, steps } = training;
  const { trainingRound, trainingRounds } = placeOfRound(objective, roundNumber, rounds);
  return optimizer.learningRate * rateFactorAt(schedule, (trainingRound - 1) * steps + step, trainingRounds * steps);
}
