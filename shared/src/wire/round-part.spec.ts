import { objectiveSchema } from './objective-plan.js';
import {
  adversaryStepOf,
  describeRound,
  isTrainedAtSites,
  placeOfRound,
  previousRoundOfPart,
  roundPlaceView,
  stepsOfRound,
} from './round-part.js';

const frozen = objectiveSchema.parse({ kind: 'universal-model', adversary: { mode: 'frozen', subRounds: 2, patches: 24 } });
const genesis = objectiveSchema.parse({ kind: 'models-genesis' });

describe('the parts of a campaign with a frozen adversary', () => {
  it('follow one another by the numbers of the rounds', () => {
    const places = Array.from({ length: 7 }, (_, index) => placeOfRound(frozen, index + 1, 7));
    expect(places.map(({ part }) => part.charAt(0)).join('')).toBe('raaraar');
    expect(places.map(({ trainingRound }) => trainingRound)).toEqual([1, 1, 1, 2, 2, 2, 3]);
    expect(places.map(({ subRound }) => subRound)).toEqual([0, 1, 2, 0, 1, 2, 0]);
    expect(new Set(places.map(({ trainingRounds }) => trainingRounds))).toEqual(new Set([3]));
    expect(places.filter(({ part }) => part === 'adversary').map(adversaryStepOf)).toEqual([1, 2, 3, 4]);
  });

  it('know the round of their own before them', () => {
    expect([1, 2, 3, 4, 5, 7].map((number) => previousRoundOfPart(frozen, number))).toEqual([undefined, undefined, 2, 1, 3, 4]);
    expect([1, 2].map((number) => previousRoundOfPart(genesis, number))).toEqual([undefined, 1]);
  });

  it('are told to operators in words', () => {
    const words = (number: number): string => describeRound(number, roundPlaceView({ objective: frozen, rounds: 50 }, number));
    expect(words(12)).toBe('round 12 of 50 (adversary 2 of 2)');
    expect(words(13)).toBe('round 13 of 50 (representation)');
    expect(describeRound(12, roundPlaceView({ objective: genesis, rounds: 50 }, 12))).toBe('round 12');
  });

  it('count steps, or patches', () => {
    const steps = (roundNumber: number): number => stepsOfRound({ objective: frozen, roundNumber, training: { steps: 100 } });
    expect([1, 2, 3, 4].map(steps)).toEqual([100, 24, 24, 100]);
  });
});

it('every round of another campaign trains all there is', () => {
  expect(placeOfRound(genesis, 5, 9)).toEqual({ part: 'all', trainingRound: 5, trainingRounds: 9, subRound: 0, subRounds: 0 });
});

it('sites train the adversary in two of its modes', () => {
  const mode = (name: string) => objectiveSchema.parse({ kind: 'universal-model', adversary: { mode: name } });
  expect(['none', 'reversal', 'alternating', 'frozen'].map((name) => isTrainedAtSites(mode(name)))).toEqual([
    false,
    true,
    true,
    false,
  ]);
  expect(isTrainedAtSites(genesis)).toBe(false);
});
