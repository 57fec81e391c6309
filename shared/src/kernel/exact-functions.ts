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

/** Sine and cosine of a part of a turn, 0 ≤ turn < 1, to about 2^-52: Taylor's series on an eighth of a turn either way. */
export function sineAndCosineOfTurn(turn: number): { readonly sine: number; readonly cosine: number } {
  const quarter = Math.round(4 * turn);
  const angle = 2 * Math.PI * (turn - quarter / 4); // the difference is exact, and |angle| ≤ π / 4
  const square = angle * angle; // ≤ 0.617: nine terms are exact to 2^-54
  let [sine, cosine] = [1, 1];
  for (let term = 18; term >= 2; term -= 2) {
    sine = 1 - (sine * square) / (term * (term + 1));
    cosine = 1 - (cosine * square) / (term * (term - 1));
  }
  sine *= angle;
  if (quarter === 1) return { sine: cosine, cosine: -sine };
  if (quarter === 2) return { sine: -sine, cosine: -cosine };
  if (quarter === 3) return { sine: -cosine, cosine: sine };
  return { sine, cosine };
}
