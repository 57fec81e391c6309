/** When the adversary begins to pull, and how strongly: the ramp of Ganin and Lempitsky (ICML 2015) after a warm-up (spec C5). */
import { representationRounds, type RoundPlan, type UniversalObjective } from '@consilium/shared/wire';

/** Where a learner's steps lie among all steps of a training. */
export interface ObjectiveClock {
  /** Steps before the learner's first. */
  readonly stepsBefore: number;
  /** Steps in all. */
  readonly steps: number;
}

/** The clock of a round: it runs over all steps of the campaign; rounds that train the adversary alone do not count. */
export function clockOfRound({
  objective,
  roundNumber,
  rounds,
  training: { steps },
}: Pick<RoundPlan, 'objective' | 'roundNumber' | 'rounds' | 'training'>): ObjectiveClock {
  return {
    stepsBefore: representationRounds(objective, roundNumber - 1) * steps,
    steps: representationRounds(objective, rounds) * steps,
  };
}

/** The clock at its very end, where all losses have their full weight: for forecasts. */
export function atTheEnd({ steps }: ObjectiveClock): ObjectiveClock {
  return { stepsBefore: steps, steps };
}

/** Progress after the warm-up, from 0 to 1; undefined while it lasts. `step` counts the learner's own steps from 0. */
export function progressAt({ stepsBefore, steps }: ObjectiveClock, step: number, warmUpShare: number): number | undefined {
  const warmUpSteps = Math.round(warmUpShare * steps);
  const done = stepsBefore + step - warmUpSteps;
  if (done < 0 || warmUpSteps >= steps) return undefined;
  return Math.min(1, done / (steps - warmUpSteps));
}

/** The strength λ of the gradient reversal: 0 at progress 0, near 1 at the end. */
export function reversalStrength(progress: number, rampSlope: number): number {
  return 2 / (1 + Math.exp(-rampSlope * progress)) - 1;
}

/** What a universal objective needs to know beside its plan; plain data, so that every device of a site does the same. */
export interface UniversalTraining {
  readonly kind: 'universal-model';
  readonly losses: Pick<UniversalObjective, 'restorationWeight' | 'scaleWeight' | 'adversary'>;
  readonly clock: ObjectiveClock;
}
