import { countOverlap, dice, foregroundIou, voxelPpv, voxelSensitivity } from './overlap.js';

describe('overlap', () => {
  // predicted: two voxels of class 1, one of class 2; labelled: three of class 1, none of class 2.
  const predicted = Uint8Array.of(1, 1, 2, 0, 0);
  const labelled = Uint8Array.of(1, 0, 1, 1, 0);

  it('counts each class', () => {
    expect(countOverlap(predicted, labelled, 2)).toEqual([
      { predicted: 2, labelled: 3, both: 1 },
      { predicted: 1, labelled: 0, both: 0 },
    ]);
  });

  it('agrees with hand-computed measures', () => {
    const counts = { predicted: 2, labelled: 3, both: 1 };
    expect(dice(counts)).toBeCloseTo(2 / 5, 12);
    expect(foregroundIou(counts)).toBeCloseTo(1 / 4, 12);
    expect(voxelSensitivity(counts)).toBeCloseTo(1 / 3, 12);
    expect(voxelPpv(counts)).toBe(1 / 2);
    expect(dice({ predicted: 1, labelled: 0, both: 0 })).toBe(0);
  });

  it('calls an empty prediction of an empty label right, and asks for no share of nothing', () => {
    const empty = { predicted: 0, labelled: 0, both: 0 };
    expect([dice(empty), foregroundIou(empty), voxelSensitivity(empty), voxelPpv(empty)]).toEqual([1, 1, null, null]);
  });
});
