import { Random } from '@consilium/shared/kernel';
import { nonZero, percentilesOf } from './order-statistics.js';

function bySorting(values: Float32Array, percent: number): number {
  const sorted = Float32Array.from(values).sort();
  const position = (percent / 100) * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(position)] ?? NaN, sorted[Math.ceil(position)] ?? NaN];
  return low + (high - low) * (position - Math.floor(position));
}

describe('percentilesOf', () => {
  it('interpolates between neighbours as NumPy does', () => {
    expect(percentilesOf(Float32Array.of(4, 1, 3, 2), [0, 25, 50, 100])).toEqual([1, 1.75, 2.5, 4]);
    expect(percentilesOf(Float32Array.of(5), [0.5, 99.5])).toEqual([5, 5]);
    expect(percentilesOf(new Float32Array(), [50])).toEqual([0]);
  });

  it('agrees with sorting for negative, tiny, equal and large values', () => {
    const random = new Random('percentiles');
    for (const scale of [1e-30, 1, 3000, 1e30]) {
      const values = Float32Array.from({ length: 5001 }, () => Math.fround(random.between(-scale, scale)));
      values.fill(0, 0, 500);
      for (const percent of [0, 0.5, 33, 50, 99.5, 100])
        expect(percentilesOf(values, [percent])[0]).toBe(bySorting(values, percent));
    }
  });
});

describe('nonZero', () => {
  it('keeps the order of what is not zero', () => {
    expect([...nonZero(Float32Array.of(0, -1, -0, 2, 0))]).toEqual([-1, 2]);
  });
});
