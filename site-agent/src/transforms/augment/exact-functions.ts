/**
 * Exponential, power, sine and cosine from + − × ÷ alone, which IEEE 754 defines to the bit. Math.exp, pow, sin and cos may
 * differ in their last bits between JavaScript engines and versions, and a seed must mean the same patch everywhere.
 */
import { naturalLogarithm } from '@consilium/shared/kernel';

const LN2 = 0.6931471805599453;

/** e^x to about one unit in the last place, for −700 < x < 700. */
export function exponential(x: number): number {
  const doublings = Math.round(x / LN2);
  const rest = x - doublings * LN2; // |rest| ≤ 0.35, so that 15 terms are exact to 2^-56
  let sum = 1;
  for (let term = 15; term >= 1; term--) sum = 1 + (sum * rest) / term;
  return scaleByPowerOfTwo(sum, doublings);
}

/** base^exponent for 0 ≤ base ≤ 1 and 0 < exponent; its relative error is that of `exponent` · ln base in 64 bits. */
export function power(base: number, exponent: number): number {
  if (base <= 0) return 0;
  if (base >= 1) return 1;
  const logarithm = exponent * naturalLogarithm(base);
  return logarithm < -700 ? 0 : exponential(logarithm);
}

/** Sine and cosine of an angle within half a turn either way, to about 2^-50. */
export function sineAndCosine(degrees: number): { sine: number; cosine: number } {
  const radians = (degrees / 180) * Math.PI;
  const square = radians * radians;
  let [sine, cosine] = [1, 1];
  for (let term = 28; term >= 2; term -= 2) {
    sine = 1 - (sine * square) / (term * (term + 1));
    cosine = 1 - (cosine * square) / (term * (term - 1));
  }
  return { sine: radians * sine, cosine };
}

function scaleByPowerOfTwo(value: number, exponent: number): number {
  let scaled = value;
  for (let left = exponent; left > 0; left--) scaled *= 2;
  for (let left = exponent; left < 0; left++) scaled /= 2;
  return scaled;
}
