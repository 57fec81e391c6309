import { ProgressMeter } from './progress-meter.js';
import type { TrainerProgress } from './trainer-messages.js';

describe('ProgressMeter', () => {
  let nowMs: number;
  let posted: TrainerProgress[];
  let meter: ProgressMeter;
  beforeEach(() => {
    nowMs = 1_000;
    posted = [];
    meter = new ProgressMeter(
      (progress) => posted.push(progress),
      () => nowMs,
    );
  });

  it('posts at most four times a second and averages what it skipped', () => {
    for (let step = 1; step <= 100; step++) {
      meter.report('training', step, 1_000, step);
      nowMs += 10;
    }
    expect(posted.map(({ step }) => step)).toEqual([1, 26, 51, 76]);
    expect(posted.map(({ loss }) => loss)).toEqual([1, 14, 39, 64]);
  });

  it('adds up what the skipped steps took and waited', () => {
    meter.report('training', 1, 100, 0.5, { totalMs: 100, waitedMs: 90 });
    meter.report('training', 2, 100, 0.5, { totalMs: 30, waitedMs: 10 });
    meter.report('training', 3, 100, 0.5, { totalMs: 10, waitedMs: 0 });
    nowMs += 300;
    meter.report('training', 4, 100, 0.5, { totalMs: 60, waitedMs: 0 });
    nowMs += 300;
    meter.report('training', 5, 100, 0.5);
    expect(posted.map(({ waitedShare }) => waitedShare)).toEqual([0.9, 0.1, undefined]);
  });

  it('posts the first and the last step of each phase', () => {
    meter.report('preparing', 0, 2);
    meter.report('preparing', 1, 2);
    meter.report('training', 1, 3, 0.5);
    meter.report('training', 2, 3, 0.3);
    meter.report('training', 3, 3, 0.1);
    expect(posted).toEqual([
      { kind: 'progress', phase: 'preparing', step: 0, steps: 2 },
      { kind: 'progress', phase: 'training', step: 1, steps: 3, loss: 0.5 },
      { kind: 'progress', phase: 'training', step: 3, steps: 3, loss: 0.2 },
    ]);
  });
});
