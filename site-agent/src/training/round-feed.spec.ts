import { localTrainingSchema, objectiveSchema } from '@consilium/shared/wire';
import { feedClock } from './round-feed.js';

describe('the clock of a round’s batches', () => {
  const training = localTrainingSchema.parse({ steps: 50, batchSize: 3, optimizer: { kind: 'sgd', learningRate: 0.1 } });
  const clock = (adversary: object, roundNumber: number, rounds: number) =>
    feedClock({ objective: objectiveSchema.parse({ kind: 'universal-model', adversary }), roundNumber, rounds, training });

  it('runs over all rounds where all of them train the representation', () => {
    expect(clock({ mode: 'none' }, 3, 10)).toEqual({ pairsPerStep: 3, stepsBefore: 100, totalSteps: 500 });
  });

  it('leaves the rounds of a frozen adversary out, so that a curriculum has its share of the steps that are made', () => {
    const frozen = { mode: 'frozen', subRounds: 4 };
    expect([1, 6].map((round) => clock(frozen, round, 6).stepsBefore)).toEqual([0, 50]);
    expect(clock(frozen, 6, 6).totalSteps).toBe(100); // rounds 1 and 6
  });
});
