/**
 * Standard normal numbers by the polar method (Marsaglia and Bray, SIAM Review 1964). Math.log may differ in its last bit
 * between JavaScript engines and versions, so the logarithm here uses only + − × ÷, comparisons and the square root, which
 * IEEE 754 defines to the bit: the same random stream gives the same numbers everywhere.
 */
import { naturalLogarithm, type Random } from '@consilium/shared/kernel';

/** Fills the array with independent draws of mean 0 and the given deviation, computed in 64 bits and rounded once. */
export function fillNormal(values: Float32Array, random: Random, deviation: number): Float32Array {
  for (let i = 0; i < values.length; i += 2) {
    const [first, second] = normalPair(random);
    values[i] = deviation * first;
    if (i + 1 < values.length) values[i + 1] = deviation * second;
  }
  return values;
}

/** Two independent standard normal draws. */
export function normalPair(random: Random): [number, number] {
  for (;;) {
    const x = 2 * random.uniform() - 1;
    const y = 2 * random.uniform() - 1;
    const square = x * x + y * y;
    if (square >= 1 || square === 0) continue;
    const factor = Math.sqrt((-2 * naturalLogarithm(square)) / square);
    return [x * factor, y * factor];
  }
}
