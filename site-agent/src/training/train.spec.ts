import { FederationError } from '@consilium/shared/kernel';
import type { PatchBatch } from './patch-batch.js';
import { type StepTime, train, type Training, type TrainingState } from './train.js';

function batchOf(step: number): PatchBatch {
  return { patches: 1, sizeVoxels: [1, 1, 1], input: Float32Array.of(step), target: Float32Array.of(0) };
}

/** A learner whose weight is the sum of what it saw, so that a skipped or doubled batch shows. */
function makeTraining(changes: Partial<Training> = {}, lossAt: (step: number) => number = (step) => 10 - step) {
  const seen: number[] = [];
  const rates: number[] = [];
  const saved: TrainingState[] = [];
  let clockMs = 0;
  const training: Training = {
    trainee: {
      setLearningRate: (rate) => void rates.push(rate),
      step: (batch) => {
        const step = batch.input[0] ?? -1;
        seen.push(step);
        return lossAt(step);
      },
    },
    source: { batch: async (step) => batchOf(step), close: async () => undefined },
    steps: 7,
    learningRateAt: (step) => 1 / (step + 1),
    checkpointEverySteps: 3,
    saveCheckpoint: async (state) => void saved.push(state),
    stop: new AbortController().signal,
    nowMs: () => (clockMs += 5),
    ...changes,
  };
  return { training, seen, rates, saved };
}

async function failureOf(work: Promise<unknown>): Promise<FederationError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof FederationError) return error;
  throw new Error('no FederationError was thrown');
}

describe('train', () => {
  it('takes every batch once, in order, at its learning rate', async () => {
    const { training, seen, rates } = makeTraining();
    const state = await train(training);
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(rates.slice(0, 3)).toEqual([1, 1 / 2, 1 / 3]);
    expect(state).toEqual({ step: 7, lossSum: 10 + 9 + 8 + 7 + 6 + 5 + 4, lastLoss: 4, trainingMs: 70, waitedMs: 35 });
  });

  it('saves at each interval but not after the last step, for then the update is written', async () => {
    const { training, saved } = makeTraining({ steps: 6 });
    await train(training);
    expect(saved.map(({ step }) => step)).toEqual([3]);
  });

  it('goes on from a state as if it had never stopped', async () => {
    const whole = await train(makeTraining().training);
    const { training, seen } = makeTraining();
    const rest = await train(training, { step: 3, lossSum: 27, lastLoss: 8, trainingMs: 30, waitedMs: 15 });
    expect(seen).toEqual([3, 4, 5, 6]);
    expect(rest).toEqual(whole);
  });

  it('tells of each step how long it took and how long it waited for its batch', async () => {
    const times: StepTime[] = [];
    let clockMs = 0;
    const { training } = makeTraining({
      steps: 3,
      nowMs: () => clockMs,
      source: {
        batch: async (step) => {
          clockMs += step === 1 ? 40 : 0;
          return batchOf(step);
        },
        close: async () => undefined,
      },
      onStep: (_, time) => times.push(time),
    });
    const state = await train({
      ...training,
      trainee: {
        setLearningRate: () => undefined,
        step: () => {
          clockMs += 10;
          return 1;
        },
      },
    });
    expect(times).toEqual([
      { totalMs: 10, waitedMs: 0 },
      { totalMs: 50, waitedMs: 40 },
      { totalMs: 10, waitedMs: 0 },
    ]);
    expect([state.trainingMs, state.waitedMs]).toEqual([70, 40]);
  });

  it('ends at the first step at which its time is up, and not before the first', async () => {
    // Ten milliseconds a step.
    expect(await train(makeTraining({ mostMs: 40 }).training)).toMatchObject({ step: 4, trainingMs: 40 });
    expect(await train(makeTraining({ mostMs: 41 }).training)).toMatchObject({ step: 5, trainingMs: 50 });
    expect(await train(makeTraining({ mostMs: 0.1 }).training)).toMatchObject({ step: 1 });
    expect(await train(makeTraining({ mostMs: 1e9 }).training)).toMatchObject({ step: 7 });
  });

  it('counts the time of earlier attempts, and does not save when it ends', async () => {
    const { training, seen, saved } = makeTraining({ mostMs: 60 });
    const state = await train(training, { step: 3, lossSum: 27, lastLoss: 8, trainingMs: 30, waitedMs: 15 });
    expect([seen, state.step, saved]).toEqual([[3, 4, 5], 6, []]);
    const spent = makeTraining({ mostMs: 30 });
    expect((await train(spent.training, { ...state, trainingMs: 30 })).step).toBe(6);
    expect(spent.seen).toEqual([]);
  });

  it('finishes when the stop comes with the step that uses its time up', async () => {
    const controller = new AbortController();
    const onStep = ({ step }: TrainingState): unknown => step === 4 && controller.abort();
    const { training, saved } = makeTraining({ mostMs: 40, stop: controller.signal, onStep });
    expect((await train(training)).step).toBe(4);
    expect(saved.map(({ step }) => step)).toEqual([3, 4]);
  });

  it('stops within one step, saving on the way out', async () => {
    const controller = new AbortController();
    const { training, seen, saved } = makeTraining({
      stop: controller.signal,
      onStep: ({ step }) => step === 5 && controller.abort(),
    });
    const error = await failureOf(train(training));
    expect([error.code, error.retryable, error.details]).toEqual(['TRAINER_STOPPED', true, { step: 5 }]);
    expect(seen).toEqual([0, 1, 2, 3, 4]);
    expect(saved.map(({ step }) => step)).toEqual([3, 5]);
  });

  it('obeys a stop that arrives while it waits for a batch, and does not save twice', async () => {
    const controller = new AbortController();
    const { training, seen, saved } = makeTraining({
      stop: controller.signal,
      source: {
        batch: async (step) => {
          if (step === 3) controller.abort();
          return batchOf(step);
        },
        close: async () => undefined,
      },
    });
    expect((await failureOf(train(training))).code).toBe('TRAINER_STOPPED');
    expect(seen).toEqual([0, 1, 2]);
    expect(saved.map(({ step }) => step)).toEqual([3]);
  });

  it('finishes when the stop comes with the last step', async () => {
    const controller = new AbortController();
    const { training } = makeTraining({ stop: controller.signal, onStep: ({ step }) => step === 7 && controller.abort() });
    expect((await train(training)).step).toBe(7);
  });

  it.each([NaN, Infinity])('reports a loss of %p as divergence at its step', async (broken) => {
    const { training, saved } = makeTraining({}, (step) => (step === 4 ? broken : 1));
    const error = await failureOf(train(training));
    expect([error.code, error.details]).toEqual(['TRAINING_DIVERGED', { step: 4 }]);
    expect(error.remedy).toContain('learning rate');
    expect(saved.map(({ step }) => step)).toEqual([3]);
  });

  it('sees events between steps', async () => {
    let events = 0;
    const timer = setInterval(() => (events += 1), 0);
    const { training } = makeTraining({ onStep: () => busyMs(3) });
    await train(training);
    clearInterval(timer);
    expect(events).toBeGreaterThan(3);
  });
});

function busyMs(durationMs: number): void {
  const end = performance.now() + durationMs;
  while (performance.now() < end);
}
