import { Random } from '@consilium/shared/kernel';
import { clipFactor } from './index.js';

const normOf = (values: Float32Array): number => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));

describe('clipping', () => {
  it('leaves what is small enough as it is, and scales the rest', () => {
    expect(clipFactor(0, 1)).toBe(1);
    expect(clipFactor(0.999, 1)).toBe(1);
    expect(clipFactor(4, 1)).toBeCloseTo(0.25, 5);
    expect(clipFactor(1, 1)).toBeLessThan(1);
  });

  it('keeps the norm within the bound also once every number is rounded to 32 bits', () => {
    const random = new Random('clipping');
    for (let round = 0; round < 200; round++) {
      const values = Float32Array.from({ length: 300 }, () => random.between(-1, 1) * 10 ** random.between(-4, 2));
      const clipNorm = 10 ** random.between(-3, 1);
      const factor = clipFactor(normOf(values), clipNorm);
      const clipped = normOf(values.map((value) => value * factor));
      expect(clipped).toBeLessThanOrEqual(clipNorm);
      if (factor < 1) expect(clipped / clipNorm).toBeGreaterThan(1 - 2e-6);
    }
  });
});
