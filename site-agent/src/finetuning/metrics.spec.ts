import { classMapOf, softDiceLoss } from './metrics.js';

describe('what training looks at', () => {
  it('agrees with the hand-computed soft Dice loss', () => {
    // class 1: Σyp = 0.5, Σy = 1, Σp = 0.75 → 1 − 2/2.75; class 2: Σyp = 0, Σy = 0, Σp = 1 → 1 − 1/2.
    const probabilities = Float32Array.of(0.5, 0, 0.25, 1);
    const expected = (1 - 2 / 2.75 + (1 - 1 / 2)) / 2;
    expect(softDiceLoss(probabilities, Uint8Array.of(1, 0), 2)).toBeCloseTo(expected, 7);
  });

  it('takes the most probable class above one half', () => {
    expect([...classMapOf(Float32Array.of(0.4, 0.5, 0.9, 0.6, 0.51, 0.7), 2)]).toEqual([0, 1, 2]);
  });
});
