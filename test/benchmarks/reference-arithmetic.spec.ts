import { averageRound } from './federation/reference-arithmetic.mjs';
import { averageByDeltas, rounded } from './federation/reference-deltas.mjs';

describe('the reference of bench:federation', () => {
  it('adds the weighted mean of what the sites add', () => {
    const weights = new Float32Array([1, 0.5]);
    averageRound(weights, [
      { shift: 0.25, weight: 1 },
      { shift: 0.5, weight: 3 },
    ]);
    expect([...weights]).toEqual([1.4375, 0.9375]); // + (1 · 0.25 + 3 · 0.5) / 4
  });

  it('rounds what a site trained, and what it delivers, to 32 bits', () => {
    const weights = new Float32Array([1]);
    averageRound(weights, [{ shift: 2 ** -25, weight: 1 }]);
    expect(weights[0]).toBe(1); // 1 + 2^-25 is 1 in 32 bits: the site delivers nothing
    averageRound(weights, [{ shift: 0.75 * 2 ** -23, weight: 1 }]);
    expect(weights[0]).toBe(1 + 2 ** -23); // rounded up to the next number after 1
  });

  it('sums in 64 bits, in the order of the sites', () => {
    const [huge, one] = [
      { shift: 2 ** 54, weight: 1 },
      { shift: 1, weight: 1 },
    ];
    const minusHuge = { shift: -(2 ** 54), weight: 1 };
    const lost = new Float32Array([0]);
    averageRound(lost, [huge, one, minusHuge]);
    expect(lost[0]).toBe(0); // 2^54 + 1 is 2^54 in 64 bits
    const kept = new Float32Array([0]);
    averageRound(kept, [huge, minusHuge, one]);
    expect(kept[0]).toBe(Math.fround(1 / 3));
  });
});

describe('the reference of bench:federation, in a number format', () => {
  it('rounds to what the format holds, ties to even', () => {
    // 1 + 2^-11 lies halfway between two half floats, 1 + 3·2^-11 too; below 2^-14 halves are multiples of 2^-24.
    const floats = Float32Array.of(1 + 2 ** -11, 1 + 3 * 2 ** -11, -(1 + 2 ** -10), 1.5 * 2 ** -24, 0);
    expect([...rounded(floats, 'f16')]).toEqual([1, 1 + 2 ** -9, -(1 + 2 ** -10), 2 ** -23, 0]);
    expect([...rounded(Float32Array.of(1 + 2 ** -8, 1 + 3 * 2 ** -8), 'bf16')]).toEqual([1, 1 + 2 ** -6]);
    expect([...rounded(Float32Array.of(127, 0.5, 1.5, -126.6), 'int8')]).toEqual([127, 0, 2, -127]);
    expect([...rounded(Float32Array.of(0, 0), 'int8')]).toEqual([0, 0]);
  });

  it('keeps what rounding takes, at each site and on the way down', () => {
    const shift = 1 + 2 ** -11;
    const weights = new Float32Array([0]);
    const round = [{ site: 'a', shift, weight: 1 }];
    averageByDeltas(weights, [round], 'f16');
    expect(weights[0]).toBe(1); // 2^-11 is still to come
    averageByDeltas(weights.fill(0), [round, round], 'f16');
    expect(weights[0]).toBe(2 * shift); // 1 + 2^-11 + 2^-11 is a half float
  });
});
