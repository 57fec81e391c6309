import { softDiceLoss } from './metrics.js';

describe('what training looks at', () => {
  it('agrees with the hand-computed soft Dice loss', () => {
    // Σyp = 0.5, Σy = 1, Σp = 0.75
    expect(softDiceLoss(Float32Array.of(0.5, 0.25), Uint8Array.of(1, 0), 1)).toBeCloseTo(1 - 2 / 2.75, 7);
    // Σyp = 0, Σy = 0, Σp = 1
    expect(softDiceLoss(Float32Array.of(0, 1), Uint8Array.of(1, 0), 2)).toBeCloseTo(1 - 1 / 2, 7);
  });
});
