import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { objectiveSchema, type SchedulePlan, scheduleSchema } from '@consilium/shared/wire';
import { PROJECT_ROOT } from '../../../../test/fixtures/reference-shelf.js';
import { lookAtLoss, type PlateauSettings, type PlateauState, startPlateau } from './plateau.js';
import { rateFactorAt } from './rate-factor.js';
import { rateInRound } from './round-rate.js';

interface Goldens {
  schedules: Record<string, number[]>;
  losses: (number | null)[];
  plateaus: Record<string, number[]>;
}

const goldens = JSON.parse(readFileSync(join(PROJECT_ROOT, 'test/fixtures/optimizer-goldens/schedules.json'), 'utf8')) as Goldens;
const STEPS = 40;

/** PyTorch multiplies its rates step by step: the last bits differ, by less than 1e-14 of the first rate. */
const DIGITS = 13;

describe('the rate over the steps, beside PyTorch', () => {
  const warmUp = { steps: 5, startFactor: 0.1 };
  const plans: Record<string, SchedulePlan> = {
    step: { kind: 'step', everySteps: 7, factor: 0.5 },
    'step-warm-up': { kind: 'step', everySteps: 7, factor: 0.5, warmUp },
    polynomial: { kind: 'polynomial', power: 0.9 },
    'polynomial-warm-up': { kind: 'polynomial', power: 0.9, warmUp },
    cosine: { kind: 'cosine', floorFactor: 0.02 },
    'cosine-warm-up': { kind: 'cosine', floorFactor: 0.02, warmUp },
    'constant-warm-up': { kind: 'constant', warmUp },
  };

  it.each(Object.keys(goldens.schedules))('%s', (name) => {
    const plan = scheduleSchema.parse(plans[name]);
    const expected = goldens.schedules[name] ?? [];
    expect(expected).toHaveLength(STEPS);
    expected.forEach((rate, step) => expect(rateFactorAt(plan, step, STEPS)).toBeCloseTo(rate, DIGITS));
  });

  it('is constant without a schedule, and stays at the end what it came to', () => {
    expect([0, 1, 99].map((step) => rateFactorAt(undefined, step, STEPS))).toEqual([1, 1, 1]);
    expect(rateFactorAt({ kind: 'polynomial', power: 0.9 }, 100, STEPS)).toBe(0);
    expect(rateFactorAt({ kind: 'cosine', floorFactor: 0.25 }, 100, STEPS)).toBe(0.25);
    expect(rateFactorAt({ kind: 'polynomial', power: 0.9, warmUp: { steps: 50, startFactor: 0.1 } }, 50, STEPS)).toBe(1);
  });

  it("halves Models Genesis' rate of 1 every 40 epochs", () => {
    const stepsPerEpoch = 12;
    const plan: SchedulePlan = { kind: 'step', everySteps: 40 * stepsPerEpoch, factor: 0.5 };
    const rates = [0, 39, 40, 79, 80].map((epoch) => rateFactorAt(plan, epoch * stepsPerEpoch, 10_000 * stepsPerEpoch));
    expect(rates).toEqual([1, 1, 0.5, 0.5, 0.25]);
  });
});

describe('the rate in a round', () => {
  const objective = objectiveSchema.parse({ kind: 'models-genesis' });

  it('runs over the rounds of the representation alone where an adversary has rounds of its own', () => {
    const optimizer = { kind: 'sgd', learningRate: 0.2, momentum: 0.9 } as const;
    const schedule: SchedulePlan = { kind: 'polynomial', power: 1 };
    const training = { optimizer, schedule, batchSize: 2, steps: 10, checkpointEverySteps: 5 };
    const frozen = objectiveSchema.parse({ kind: 'universal-model', adversary: { mode: 'frozen', subRounds: 3 } });
    const inRounds = [1, 5, 9].flatMap((roundNumber) =>
      Array.from({ length: 10 }, (_, step) => rateInRound({ training, objective: frozen, roundNumber, rounds: 9 }, step)),
    );
    expect(inRounds).toEqual(Array.from({ length: 30 }, (_, step) => 0.2 * rateFactorAt(schedule, step, 30)));
  });

  it('goes on where the round before it ended, and ends with the last round', () => {
    const optimizer = { kind: 'sgd', learningRate: 0.2, momentum: 0.9 } as const;
    const schedule: SchedulePlan = { kind: 'cosine', floorFactor: 0 };
    const training = { optimizer, schedule, batchSize: 2, steps: 10, checkpointEverySteps: 5 };
    const inRounds = [1, 2, 3, 4].flatMap((roundNumber) =>
      Array.from({ length: 10 }, (_, step) => rateInRound({ training, objective, roundNumber, rounds: 4 }, step)),
    );
    expect(inRounds).toEqual(Array.from({ length: 40 }, (_, step) => 0.2 * rateFactorAt(schedule, step, 40)));
    expect(inRounds[0]).toBe(0.2);
    expect(inRounds[39]).toBeLessThan(0.001);
  });

  it('is the learning rate in each step of a plan without a schedule', () => {
    const optimizer = { kind: 'adam', learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;
    const training = { optimizer, batchSize: 2, steps: 10, checkpointEverySteps: 5 };
    expect(rateInRound({ training, objective, roundNumber: 3, rounds: 4 }, 7)).toBe(0.01);
  });
});

describe("the plateau, beside PyTorch's", () => {
  const usual: PlateauSettings = {
    factor: 0.5,
    patience: 0,
    threshold: 1e-4,
    thresholdMode: 'relative',
    cooldown: 0,
    minimumRate: 0,
    minimumCut: 1e-8,
  };
  const settings: Record<string, PlateauSettings> = {
    relative: { ...usual, factor: 0.1, patience: 2 },
    absolute: { ...usual, patience: 1, threshold: 1e-3, thresholdMode: 'absolute', minimumRate: 0.2 },
    cooldown: { ...usual, cooldown: 2 },
    'tiny-cuts': { ...usual, minimumCut: 0.05 },
  };
  const losses = goldens.losses.map((loss) => loss ?? NaN);

  it.each(Object.keys(goldens.plateaus))(
    '%s: the same rate after each loss, also from a state that went through JSON',
    (name) => {
      const plan = settings[name] ?? usual;
      let state = startPlateau(1);
      const rates = losses.map((loss) => {
        state = JSON.parse(JSON.stringify(lookAtLoss(state, loss, plan))) as PlateauState;
        return state.rate;
      });
      expect(rates).toEqual(goldens.plateaus[name]);
    },
  );

  it('takes no infinite loss for a better one, and does not raise a rate below the least', () => {
    const state = lookAtLoss(startPlateau(0.1), Infinity, { ...usual, minimumRate: 0.5 });
    expect(state).toEqual({ rate: 0.1, best: null, badLooks: 0, cooldownLeft: 0 });
  });
});
