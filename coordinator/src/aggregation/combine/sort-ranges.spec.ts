import { Random } from '@consilium/shared/kernel';
import { mergeExchange } from './sort-ranges.js';

function sorted(values: number[]): number[] {
  const result = [...values];
  mergeExchange(values.length, (lower, upper) => {
    const [a, b] = [result[lower] ?? NaN, result[upper] ?? NaN];
    if (lower >= upper) throw new Error('a pair is named upside down');
    [result[lower], result[upper]] = [Math.min(a, b), Math.max(a, b)];
  });
  return result;
}

describe('mergeExchange', () => {
  it('sorts every sequence of zeros and ones up to length 9, and therefore every sequence (the 0-1 principle)', () => {
    for (let length = 1; length <= 9; length++) {
      for (let bits = 0; bits < 1 << length; bits++) {
        const values = Array.from({ length }, (_, place) => (bits >> place) & 1);
        expect(sorted(values)).toEqual([...values].sort());
      }
    }
  });

  it('sorts drawn sequences of other lengths', () => {
    const random = new Random('merge exchange');
    for (const length of [16, 17, 31, 100, 200]) {
      const values = Array.from({ length }, () => random.integer(-50, 50));
      expect(sorted(values)).toEqual([...values].sort((a, b) => a - b));
    }
  });
});
