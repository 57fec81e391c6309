import { outlook, rateOfStep } from './validation-history.js';

const plan = {
  learningRate: 1e-3,
  plateau: { factor: 0.5, patience: 2, minimumDelta: 1e-4, floor: 3e-4 },
  earlyStopPatience: 5,
  watch: 'loss' as const,
};

function after(...losses: number[]) {
  return outlook(
    losses.map((loss, index) => ({ step: 10 * (index + 1), loss })),
    plan,
  );
}

describe('outlook', () => {
  it('starts at the full rate without a best step', () => {
    expect(after()).toEqual({ learningRate: 1e-3, bestStep: undefined, best: Infinity, stop: false });
  });

  it('keeps the rate while the loss falls', () => {
    expect(after(0.9, 0.8, 0.7)).toEqual({ learningRate: 1e-3, bestStep: 30, best: 0.7, stop: false });
  });

  it('halves the rate after a plateau, again after the next, never below the floor', () => {
    expect(after(0.9, 0.95).learningRate).toBe(1e-3);
    expect(after(0.9, 0.95, 0.95).learningRate).toBe(5e-4);
    expect(after(0.9, 0.95, 0.95, 0.95, 0.95).learningRate).toBe(3e-4);
  });

  it('does not call a hair an improvement, but keeps its weights', () => {
    expect(after(0.9, 0.89995, 0.8999)).toMatchObject({ learningRate: 5e-4, bestStep: 30 });
  });

  it('stops when nothing has improved for long enough', () => {
    expect(after(0.5, 0.6, 0.6, 0.6, 0.6).stop).toBe(false);
    expect(after(0.5, 0.6, 0.6, 0.6, 0.6, 0.6)).toMatchObject({ stop: true, bestStep: 10 });
  });

  it('watches a score instead of the loss, where more is better', () => {
    const looks = [0.5, 0.8, 0.7, 0.7].map((dice, index) => ({ step: index + 1, loss: 1 - index / 10, dice }));
    const { bestStep, best, learningRate } = outlook(looks, { ...plan, watch: 'dice' });
    expect([bestStep, learningRate]).toEqual([2, 5e-4]);
    expect(best).toBeCloseTo(0.2, 12);
  });

  it('leaves a rate alone that is below the floor already', () => {
    const low = { ...plan, learningRate: 1e-4 };
    const flat = [1, 2, 3].map((step) => ({ step, loss: 0.5 }));
    expect(outlook(flat, low).learningRate).toBe(1e-4);
  });
});

describe('the rate of a step', () => {
  it("is the plateau's times the schedule's factor", () => {
    const schedule = { kind: 'polynomial', power: 1, warmUp: { steps: 2, startFactor: 0.5 } } as const;
    const rates = [0, 1, 2, 4, 6].map((step) => rateOfStep(0.4, { schedule, steps: 6 }, step));
    expect(rates).toEqual([0.2, 0.3, 0.4, 0.2, 0].map((rate) => expect.closeTo(rate, 12) as number));
    expect(rateOfStep(0.4, { steps: 6 }, 3)).toBe(0.4);
  });
});
