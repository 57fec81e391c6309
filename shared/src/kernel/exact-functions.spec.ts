import { Random } from './random.js';
import { naturalLogarithm, sineAndCosineOfTurn } from './exact-functions.js';

describe('exact functions', () => {
  it('have a logarithm that is right to the last place or two', () => {
    const random = new Random('logarithm');
    for (let i = 0; i < 10_000; i++) {
      const x = i % 2 === 0 ? random.uniform() + 2 ** -60 : 2 ** -(1 + 100 * random.uniform());
      expect(Math.abs(naturalLogarithm(x) / Math.log(x) - 1)).toBeLessThan(5e-16 * Math.max(1, 0.01 / Math.abs(Math.log(x))));
    }
    expect(naturalLogarithm(0.5)).toBe(-Math.LN2);
  });

  it('agree with the engine’s own to the last bits', () => {
    expect(naturalLogarithm(1)).toBe(0);
    for (let i = 0; i < 2000; i++) {
      const x = (i + 0.5) / 2000;
      expect(Math.abs(naturalLogarithm(x) - Math.log(x))).toBeLessThan(1e-15 * Math.max(1, Math.abs(Math.log(x))));
      const { sine, cosine } = sineAndCosineOfTurn(x);
      expect(Math.abs(sine - Math.sin(2 * Math.PI * x))).toBeLessThan(2e-15);
      expect(Math.abs(cosine - Math.cos(2 * Math.PI * x))).toBeLessThan(2e-15);
    }
    expect(naturalLogarithm(2 ** -53)).toBeCloseTo(-53 * Math.LN2, 13);
    expect([0, 0.25, 0.5, 0.75].map((turn) => Math.round(sineAndCosineOfTurn(turn).sine))).toEqual([0, 1, -0, -1]);
  });
});
