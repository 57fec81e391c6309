import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT_ROOT } from '../../../test/fixtures/reference-shelf.js';
import { epsilonOf, releasesWithin, rhoOfGaussian } from './index.js';

interface Golden {
  readonly multiplier: number;
  readonly releases: number;
  readonly delta: number;
  readonly rdpEpsilon: number;
  readonly exactEpsilon: number;
}
const { cases } = JSON.parse(readFileSync(join(PROJECT_ROOT, 'test/fixtures/privacy-goldens/goldens.json'), 'utf8')) as {
  cases: Golden[];
};
const oursOf = ({ multiplier, releases, delta }: Golden): number => epsilonOf(releases * rhoOfGaussian(multiplier), delta);

describe('the accountant', () => {
  it('gives what dp-accounting gives, over multipliers, releases and deltas', () => {
    expect(cases.length).toBe(10 * 7 * 4);
    const wrong = cases.filter((golden) => Math.abs(oursOf(golden) - golden.rdpEpsilon) > 1e-9 * Math.max(1, golden.rdpEpsilon));
    expect(wrong).toEqual([]);
  });

  it('never promises more than the exact value of the Gaussian mechanism, and little less where it is of use', () => {
    const tooGood = cases.filter((golden) => oursOf(golden) < golden.exactEpsilon * (1 - 1e-9));
    expect(tooGood).toEqual([]);
    const ofUse = cases.filter(({ exactEpsilon, delta }) => exactEpsilon >= 0.5 && exactEpsilon <= 20 && delta <= 1e-5);
    expect(ofUse.length).toBeGreaterThan(40);
    expect(Math.max(...ofUse.map((golden) => oursOf(golden) / golden.exactEpsilon))).toBeLessThan(1.12);
  });

  it('costs nothing where nothing was released, and grows with every release', () => {
    expect(epsilonOf(0, 1e-5)).toBe(0);
    expect(epsilonOf(Infinity, 1e-5)).toBe(Infinity);
    const grown = Array.from({ length: 200 }, (_, n) => epsilonOf(n * rhoOfGaussian(3), 1e-6));
    expect(grown.every((epsilon, n) => n === 0 || epsilon > (grown[n - 1] ?? 0))).toBe(true);
  });

  it('says how many releases still fit: that many do, and one more does not', () => {
    for (const [epsilon, multiplier, spent] of [
      [8, 4, 0],
      [3, 10, 0.05],
      [1, 1, 0],
      [50, 30, 2],
    ] as const) {
      const each = rhoOfGaussian(multiplier);
      const fit = releasesWithin(epsilon, 1e-5, spent, each);
      if (fit > 0) expect(epsilonOf(spent + fit * each, 1e-5)).toBeLessThanOrEqual(epsilon);
      expect(epsilonOf(spent + (fit + 1) * each, 1e-5)).toBeGreaterThan(epsilon);
    }
    expect(releasesWithin(1, 1e-5, 0, rhoOfGaussian(1))).toBe(0);
    expect(releasesWithin(1, 1e-5, 0, 0)).toBe(Infinity);
  });
});
