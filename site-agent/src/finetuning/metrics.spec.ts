import { classMapOf, countOverlap, dice, foregroundIou, mean, softDiceLoss } from './metrics.js';
import { bootstrapInterval } from './bootstrap.js';

describe('overlap metrics', () => {
  // predicted: two voxels of class 1, one of class 2; labelled: three of class 1, none of class 2.
  const predicted = Uint8Array.of(1, 1, 2, 0, 0);
  const labelled = Uint8Array.of(1, 0, 1, 1, 0);

  it('counts each class', () => {
    expect(countOverlap(predicted, labelled, 2)).toEqual([
      { predicted: 2, labelled: 3, both: 1 },
      { predicted: 1, labelled: 0, both: 0 },
    ]);
  });

  it('agrees with hand-computed Dice and IoU', () => {
    expect(dice({ predicted: 2, labelled: 3, both: 1 })).toBeCloseTo(2 / 5, 12);
    expect(foregroundIou({ predicted: 2, labelled: 3, both: 1 })).toBeCloseTo(1 / 4, 12);
    expect(dice({ predicted: 1, labelled: 0, both: 0 })).toBe(0);
  });

  it('calls an empty prediction of an empty label right', () => {
    expect(dice({ predicted: 0, labelled: 0, both: 0 })).toBe(1);
    expect(foregroundIou({ predicted: 0, labelled: 0, both: 0 })).toBe(1);
  });

  it('agrees with the hand-computed soft Dice loss', () => {
    // class 1: Σyp = 0.5, Σy = 1, Σp = 0.75 → 1 − 2/2.75; class 2: Σyp = 0, Σy = 0, Σp = 1 → 1 − 1/2.
    const probabilities = Float32Array.of(0.5, 0, 0.25, 1);
    const expected = (1 - 2 / 2.75 + (1 - 1 / 2)) / 2;
    expect(softDiceLoss(probabilities, Uint8Array.of(1, 0), 2)).toBeCloseTo(expected, 7);
  });

  it('takes the most probable class above one half', () => {
    expect([...classMapOf(Float32Array.of(0.4, 0.5, 0.9, 0.6, 0.51, 0.7), 2)]).toEqual([0, 1, 2]);
  });

  it('has no mean over nothing', () => {
    expect(mean([])).toBeNaN();
    expect(mean([1, 2])).toBe(1.5);
  });
});

describe('bootstrap interval', () => {
  it('holds the mean, shrinks to a point for equal values and says nothing about two', () => {
    const interval = bootstrapInterval([0.2, 0.4, 0.6, 0.8, 0.9]);
    expect(interval?.low).toBeLessThan(0.58);
    expect(interval?.high).toBeGreaterThan(0.58);
    expect(bootstrapInterval([0.5, 0.5, 0.5])).toEqual({ low: 0.5, high: 0.5 });
    expect(bootstrapInterval([0.1, 0.9])).toBeUndefined();
    expect(bootstrapInterval([0.2, 0.4, 0.6])).toEqual(bootstrapInterval([0.2, 0.4, 0.6]));
  });
});
