import { objectiveSchema } from '@consilium/shared/wire';
import { clockOfRound, progressAt, reversalStrength } from './universal-clock.js';

const training = { steps: 50 } as Parameters<typeof clockOfRound>[0]['training'];

function clock(adversary: object, roundNumber: number, rounds: number) {
  return clockOfRound({
    objective: objectiveSchema.parse({ kind: 'universal-model', adversary }),
    roundNumber,
    rounds,
    training,
  });
}

describe('the clock of a campaign', () => {
  it('runs over all steps of all rounds', () => {
    expect(clock({ mode: 'reversal' }, 1, 4)).toEqual({ stepsBefore: 0, steps: 200 });
    expect(clock({ mode: 'alternating' }, 3, 4)).toEqual({ stepsBefore: 100, steps: 200 });
  });

  it('stands still in the rounds of a frozen adversary', () => {
    const frozen = { mode: 'frozen', subRounds: 3 };
    expect([1, 2, 4, 5, 9].map((round) => clock(frozen, round, 10).stepsBefore)).toEqual([0, 50, 50, 50, 100]);
    expect(clock(frozen, 1, 10).steps).toBe(150); // rounds 1, 5 and 9
  });
});

describe('progress after the warm-up', () => {
  const rounds = { stepsBefore: 100, steps: 400 };

  it('is none in the first tenth, and then goes from 0 to 1', () => {
    const whole = { stepsBefore: 0, steps: 400 };
    expect([0, 39].map((step) => progressAt(whole, step, 0.1))).toEqual([undefined, undefined]);
    expect([40, 220, 400, 500].map((step) => progressAt(whole, step, 0.1))).toEqual([0, 0.5, 1, 1]);
    expect(progressAt(rounds, 120, 0.1)).toBe(0.5);
  });

  it('begins at once without a warm-up, and never when all is warm-up', () => {
    expect(progressAt(rounds, 0, 0)).toBe(0.25);
    expect(progressAt(rounds, 300, 1)).toBeUndefined();
  });
});

describe('the strength of the reversal', () => {
  it('is the ramp of Ganin and Lempitsky', () => {
    expect(reversalStrength(0, 10)).toBe(0);
    expect(reversalStrength(0.5, 10)).toBeCloseTo(0.98661, 5);
    expect(reversalStrength(1, 10)).toBeCloseTo(0.99991, 5);
    expect(reversalStrength(0.1, 10)).toBeCloseTo(0.46212, 5); // tanh(½)
  });
});
