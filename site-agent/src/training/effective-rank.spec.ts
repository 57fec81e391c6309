import { Random } from '@consilium/shared/kernel';
import { effectiveRank, singularValues } from './effective-rank.js';

const draw = (count: number, seed: string): Float32Array => {
  const random = new Random(seed);
  return Float32Array.from({ length: count }, () => random.between(-1, 1));
};

describe('singular values', () => {
  it.each([
    [5, 9],
    [9, 5],
    [1, 7],
  ])('have the sums of squares and of fourth powers that a matrix of %d × %d has', (rows, columns) => {
    const values = draw(rows * columns, `${rows}`);
    const singular = singularValues(values, rows);
    const sum = (power: number): number => singular.reduce((total, value) => total + value ** power, 0);
    const at = (row: number, column: number): number => values[row * columns + column] as number;
    let [second, fourth] = [0, 0];
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < rows; j++) {
        let product = 0;
        for (let k = 0; k < columns; k++) product += at(i, k) * at(j, k);
        if (i === j) second += product;
        fourth += product * product;
      }
    }
    expect(sum(2)).toBeCloseTo(second, 10);
    expect(sum(4)).toBeCloseTo(fourth, 9);
    expect(singular).toHaveLength(Math.min(rows, columns));
  });

  it('are those of a matrix that was worked out by hand', () => {
    // [[3, 0], [4, 5]]: singular values 3√5 and √5.
    const [first, second] = singularValues(Float32Array.of(3, 0, 4, 5), 2);
    expect(first).toBeCloseTo(3 * Math.sqrt(5), 12);
    expect(second).toBeCloseTo(Math.sqrt(5), 12);
  });
});

describe('the effective rank', () => {
  it('is the number of rows that are orthogonal and of one length', () => {
    const identity = Float32Array.from({ length: 4 * 10 }, (_, i) => (i % 10 === Math.floor(i / 10) ? 3 : 0));
    expect(effectiveRank(identity, 4)).toBeCloseTo(4, 10);
  });

  it('is 1 when all features have collapsed to one direction, and 0 when there are none', () => {
    const row = draw(8, 'row');
    const collapsed = Float32Array.from({ length: 5 * 8 }, (_, i) => (row[i % 8] as number) * (1 + Math.floor(i / 8)));
    expect(effectiveRank(collapsed, 5)).toBeCloseTo(1, 5);
    expect(effectiveRank(new Float32Array(40), 5)).toBe(0);
  });

  it('follows the entropy of the shares', () => {
    // Singular values 2, 1, 1: shares ½, ¼, ¼, entropy 1.5 · log 2.
    expect(effectiveRank(Float32Array.of(2, 0, 0, 0, 1, 0, 0, 0, 1), 3)).toBeCloseTo(2 ** 1.5, 10);
  });
});
