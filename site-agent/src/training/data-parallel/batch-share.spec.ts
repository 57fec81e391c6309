import { shareBatch } from './batch-share.js';

describe('shareBatch', () => {
  it.each([
    [4, 2, [2, 2]],
    [5, 2, [3, 2]],
    [8, 3, [3, 3, 2]],
    [2, 3, [1, 1]],
    [1, 1, [1]],
  ])('shares %i examples between %i devices', (batchSize, devices, counts) => {
    const shares = shareBatch(batchSize, devices);
    expect(shares.map(({ count }) => count)).toEqual(counts);
    // Neighbours without gap or overlap, in the devices' order.
    let next = 0;
    for (const { first, count } of shares) {
      expect(first).toBe(next);
      next += count;
    }
    expect(next).toBe(batchSize);
  });
});
