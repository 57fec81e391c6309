/**
 * Which rounds of a campaign train what. With a frozen adversary (docs/methods/frozen-adversary) each round of the representation
 * is followed by adversary rounds; their numbers alone tell them apart, so that nobody has to be told.
 */
import type { RoundPlaceView } from './operator-events.js';
import {
  type ObjectivePlan,
  partOfRound,
  representationRounds,
  type RoundPart,
  type UniversalObjective,
} from './objective-plan.js';

export interface RoundPlace {
  readonly part: RoundPart;
  /** Rounds that train the network up to this one, and itself if it does: from 1. An adversary round has that of the round before. */
  readonly trainingRound: number;
  /** Rounds of the campaign that train the network. */
  readonly trainingRounds: number;
  /** From 1 in an adversary round; 0 in all others. */
  readonly subRound: number;
  /** Adversary rounds that follow each round of the representation; 0 without a frozen adversary. */
  readonly subRounds: number;
}

type FrozenAdversary = Extract<UniversalObjective['adversary'], { mode: 'frozen' }>;

/** The frozen adversary of an objective; undefined where it has none. */
export function frozenAdversary(objective: ObjectivePlan): FrozenAdversary | undefined {
  if (objective.kind !== 'universal-model' || objective.adversary.mode !== 'frozen') return undefined;
  return objective.adversary;
}

/** True where sites with both modalities train the adversary in their own rounds; others leave it out of their updates. */
export function isTrainedAtSites(objective: ObjectivePlan): boolean {
  if (objective.kind !== 'universal-model') return false;
  const { mode } = objective.adversary;
  return mode === 'reversal' || mode === 'alternating';
}

/** Where the round of this number (from 1) stands in a campaign of so many rounds. */
export function placeOfRound(objective: ObjectivePlan, roundNumber: number, rounds: number): RoundPlace {
  const part = partOfRound(objective, roundNumber);
  const subRounds = frozenAdversary(objective)?.subRounds ?? 0;
  return {
    part,
    trainingRound: representationRounds(objective, roundNumber),
    trainingRounds: representationRounds(objective, rounds),
    subRound: (roundNumber - 1) % (1 + subRounds),
    subRounds,
  };
}

/** How many steps the adversary has made when this adversary round has ended. */
export function adversaryStepOf({ trainingRound, subRound, subRounds }: RoundPlace): number {
  return (trainingRound - 1) * subRounds + subRound;
}

/** The number of the last round of the same part before this one; undefined for the first one. */
export function previousRoundOfPart(objective: ObjectivePlan, roundNumber: number): number | undefined {
  const part = partOfRound(objective, roundNumber);
  let previous = roundNumber - 1;
  while (previous > 0 && partOfRound(objective, previous) !== part) previous--;
  return previous > 0 ? previous : undefined;
}

/** What a site counts while it works on a round: optimizer steps, in an adversary round patches. */
export function stepsOfRound({
  objective,
  roundNumber,
  training,
}: {
  readonly objective: ObjectivePlan;
  readonly roundNumber: number;
  readonly training: { readonly steps: number };
}): number {
  const frozen = frozenAdversary(objective);
  return frozen !== undefined && partOfRound(objective, roundNumber) === 'adversary' ? frozen.patches : training.steps;
}

/** What operators see of the place of a round; undefined where all rounds are alike. */
export function roundPlaceView(
  { objective, rounds }: { readonly objective: ObjectivePlan; readonly rounds: number },
  roundNumber: number,
): RoundPlaceView | undefined {
  const { part, subRound, subRounds } = placeOfRound(objective, roundNumber, rounds);
  return part === 'all' ? undefined : { part, rounds, subRound, subRounds };
}

/** "round 12 of 50 (adversary 1 of 4)"; "round 12" where all rounds are alike. */
export function describeRound(roundNumber: number, place: RoundPlaceView | undefined): string {
  if (place === undefined) return `round ${roundNumber}`;
  const part = place.part === 'adversary' ? `adversary ${place.subRound} of ${place.subRounds}` : place.part;
  return `round ${roundNumber} of ${place.rounds} (${part})`;
}
