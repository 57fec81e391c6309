import { GENESIS_SCHEDULE, rateAfter, type Schedule } from './schedule.js';

describe('the learning-rate schedule', () => {
  const epochs = (count: number): number[] => new Array<number>(count).fill(1);

  it('stays constant', () => {
    expect(rateAfter({ kind: 'constant' }, 0.3, epochs(1000))).toBe(0.3);
  });

  it('halves every 40 epochs as published', () => {
    expect([0, 39, 40, 79, 80].map((count) => rateAfter(GENESIS_SCHEDULE, 1, epochs(count)))).toEqual([1, 1, 0.5, 0.5, 0.25]);
  });

  describe('on a plateau', () => {
    const schedule: Schedule = { kind: 'plateau', patienceEpochs: 2, factor: 0.1, minimumRate: 0.005 };

    it('falls when the loss has not improved for more than the patience', () => {
      expect(rateAfter(schedule, 1, [])).toBe(1);
      expect(rateAfter(schedule, 1, [5, 5, 6])).toBe(1);
      expect(rateAfter(schedule, 1, [5, 5, 6, 5])).toBeCloseTo(0.1);
    });

    it('waits anew after an improvement and after each fall', () => {
      expect(rateAfter(schedule, 1, [5, 6, 6, 4, 6, 6])).toBe(1);
      expect(rateAfter(schedule, 1, [5, 5, 5, 5, 5, 5])).toBeCloseTo(0.1);
      expect(rateAfter(schedule, 1, [5, 5, 5, 5, 5, 5, 5])).toBeCloseTo(0.01);
    });

    it('ends at its minimum', () => {
      expect(rateAfter(schedule, 1, epochs(100))).toBe(0.005);
    });
  });
});
