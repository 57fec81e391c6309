/**
 * Logarithm, sine and cosine from + − × ÷, comparisons and the square root alone, which IEEE 754 defines to the bit. Math.log, sin and
 * cos may differ in their last bits between JavaScript engines and versions, and a seed or a key must mean the same numbers everywhere.
 */

const LN2 = 0.6931471805599453;
const SQRT_HALF = Math.sqrt(0.5);

/** ln x for 2^-106 ≤ x ≤ 1, to about one unit in the last place: x = m · 2^e, ln m = 2 artanh((m − 1) / (m + 1)). */
export function naturalLogarithm(x: number): number {
  let [mantissa, exponent] = [x, 0];
  while (mantissa < SQRT_HALF) {
    mantissa *= 2; // exact
    exponent -= 1;
  }
  const z = (mantissa - 1) / (mantissa + 1); // |z| ≤ 0.172, so z² ≤ 0.0295 and eleven terms are exact to 2^-56
  const square = z * z;
  let sum = 0;
  for (let odd = 21; odd >= 1; odd -= 2) sum = sum * square + 1 / odd;
  return exponent * LN2 + 2 * z * sum;
}

/** (−1)ⁿ / (2n + 1)! and (−1)ⁿ / (2n)!, from the last term to the first: nine terms after the first are exact to 2^-54. */
const SINE_TERMS = seriesOf(1);
const COSINE_TERMS = seriesOf(0);

/** Sine and cosine of a part of a turn, 0 ≤ turn < 1, to about 2^-51: Taylor's series on an eighth of a turn either way. */
export function sineAndCosineOfTurn(turn: number): { readonly sine: number; readonly cosine: number } {
  const quarter = Math.round(4 * turn);
  const angle = 2 * Math.PI * (turn - quarter / 4); // the difference is exact, and |angle| ≤ π / 4
  const square = angle * angle;
  let [sine, cosine] = [0, 0];
  for (let n = 0; n < SINE_TERMS.length; n++) {
    sine = sine * square + (SINE_TERMS[n] as number);
    cosine = cosine * square + (COSINE_TERMS[n] as number);
  }
  sine *= angle;
  if (quarter === 1) return { sine: cosine, cosine: -sine };
  if (quarter === 2) return { sine: -sine, cosine: -cosine };
  if (quarter === 3) return { sine: -cosine, cosine: sine };
  return { sine, cosine };
}

function seriesOf(first: 0 | 1): Float64Array {
  let factorial = 1;
  const terms = Array.from({ length: 10 }, (_, n) => {
    for (let factor = Math.max(1, 2 * n + first - 1); factor <= 2 * n + first; factor++) factorial *= factor;
    return (n % 2 === 0 ? 1 : -1) / factorial; // 19! is below 2^57 and divisible by 2^16: exact
  });
  return Float64Array.from(terms.reverse());
}
