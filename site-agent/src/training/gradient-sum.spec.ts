import { Random } from '@consilium/shared/kernel';
import type { WeightSet } from '@consilium/shared/weights';
import { GradientSum } from './gradient-sum.js';

const COUNT = 500;

function gradient(seed: string): WeightSet {
  const random = new Random(seed);
  const values = Float32Array.from({ length: COUNT }, () => random.between(-1, 1) * 10 ** random.integer(-6, 2));
  return [{ name: 'a', shape: [COUNT], values }];
}

const parts = Array.from({ length: 40 }, (_, index) => ({ gradient: gradient(`part-${index}`), patches: 1 + (index % 7) }));
const patches = parts.reduce((sum, part) => sum + part.patches, 0);

function summed(resumeAfter?: number): WeightSet {
  let sum = GradientSum.like(parts[0]?.gradient ?? []);
  parts.forEach((part, index) => {
    sum.add(part.gradient, part.patches);
    if (index === resumeAfter) sum = GradientSum.from(sum.parts());
  });
  return sum.times(-1 / patches);
}

describe('a sum of gradients', () => {
  it('is minus their mean by patches, within one rounding of the exact one', () => {
    const [mean] = summed();
    for (let i = 0; i < COUNT; i++) {
      const exact = -parts.reduce((sum, part) => sum + part.patches * (part.gradient[0]?.values[i] ?? NaN), 0) / patches;
      expect(Math.abs((mean?.values[i] ?? NaN) - exact)).toBeLessThanOrEqual(2 ** -24 * Math.abs(exact) + 1e-12);
    }
  });

  it('goes on with the same bits after it was written down, wherever that was', () => {
    const undisturbed = summed();
    for (const after of [0, 3, 20, 38]) expect(summed(after)).toEqual(undisturbed);
  });

  it('keeps what one 32-bit number would lose', () => {
    const tensor = (value: number): WeightSet => [{ name: 'a', shape: [1], values: Float32Array.of(value) }];
    let sum = GradientSum.like(tensor(0));
    for (const value of [1, 2 ** -30, -1]) {
      sum.add(tensor(value), 1);
      sum = GradientSum.from(sum.parts());
    }
    expect(sum.times(1)[0]?.values[0]).toBe(2 ** -30);
  });

  it('refuses another gradient’s tensors', () => {
    const sum = GradientSum.like(gradient('x'));
    expect(() => sum.add([{ name: 'b', shape: [COUNT], values: new Float32Array(COUNT) }], 1)).toThrow(/one order/);
  });
});
