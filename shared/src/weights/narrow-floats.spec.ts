import { decodeElements, encodeElements } from './index.js';

/** The value of a pattern by the definition of its format: sign, exponent and fraction. */
function valueOf(pattern: number, exponentBits: number, fractionBits: number): number {
  const bias = 2 ** (exponentBits - 1) - 1;
  const sign = pattern & 0x8000 ? -1 : 1;
  const exponent = (pattern >>> fractionBits) & (2 ** exponentBits - 1);
  const fraction = pattern & (2 ** fractionBits - 1);
  if (exponent === 2 ** exponentBits - 1) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * 2 ** (1 - bias - fractionBits);
  return sign * (1 + fraction / 2 ** fractionBits) * 2 ** (exponent - bias);
}

const encoded = (values: Float32Array, dtype: 'F16' | 'BF16'): Uint16Array =>
  new Uint16Array(encodeElements(values, dtype).slice().buffer);

describe.each([
  ['F16', 5, 10],
  ['BF16', 8, 7],
] as const)('%s', (dtype, exponentBits, fractionBits) => {
  const patterns = Uint16Array.from({ length: 65_536 }, (_, i) => i);
  const infinity = (2 ** exponentBits - 1) << fractionBits;

  it('decodes all 65,536 patterns as the format is defined', () => {
    const values = decodeElements(new Uint8Array(patterns.buffer), dtype);
    patterns.forEach((pattern) => {
      const expected = valueOf(pattern, exponentBits, fractionBits);
      if (!Object.is(values[pattern], expected)) throw new Error(`pattern ${pattern}: ${values[pattern]}, not ${expected}`);
    });
    // The bytes of a file may start anywhere.
    const shifted = new Uint8Array(2 * 65_536 + 1);
    shifted.set(new Uint8Array(patterns.buffer), 1);
    expect(decodeElements(shifted.subarray(1), dtype)).toEqual(values);
  });

  it('rounds between all neighbours to the nearer one, and from the middle to the even one', () => {
    const finite = Array.from({ length: infinity - 1 }, (_, i) => i);
    const middles = Float32Array.from(
      finite,
      (p) => (valueOf(p, exponentBits, fractionBits) + valueOf(p + 1, exponentBits, fractionBits)) / 2,
    );
    const bits = new Int32Array(middles.buffer);
    const [below, above] = [-1, 1].map((step) => new Float32Array(bits.map((word) => word + step).buffer)) as [
      Float32Array,
      Float32Array,
    ];
    for (const sign of [0, 0x8000]) {
      const of = (values: Float32Array): Uint16Array => encoded(sign === 0 ? values : values.map((value) => -value), dtype);
      const [low, middle, high] = [of(below), of(middles), of(above)];
      for (const p of finite) {
        const expected = [p, p + (p % 2), p + 1].map((pattern) => sign | pattern);
        const actual = [low[p], middle[p], high[p]];
        if (actual.join() !== expected.join()) throw new Error(`beside pattern ${p}: ${actual.join()}, not ${expected.join()}`);
      }
    }
  });

  it('makes infinities of what is too large, and keeps infinities, NaNs and the signs of zeros', () => {
    const special = Float32Array.of(3.4028234e38, Infinity, -Infinity, 0, -0);
    expect([...encoded(special, dtype)]).toEqual([infinity, infinity, 0x8000 | infinity, 0, 0x8000]);
    const nans = new Float32Array(Uint32Array.of(0x7f800001, 0xffffffff, 0x7fc00000).buffer);
    expect([...decodeElements(encodeElements(nans, dtype), dtype)]).toEqual([NaN, NaN, NaN]);
  });
});
