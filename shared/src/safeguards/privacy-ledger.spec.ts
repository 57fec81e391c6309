import { epsilonOf, epsilonOfSpends, type PrivacySpend, releasesLeft, rhoOfGaussian } from './index.js';

const local: PrivacySpend = { form: 'local', noiseMultiplier: 4 };
const central: PrivacySpend = { form: 'central', noiseMultiplier: 2 };

describe('what releases cost', () => {
  it('takes the sensitivity of each form: 2·C of any two contributions, C of one and nothing', () => {
    expect(epsilonOfSpends([local], 1e-5)).toBe(epsilonOf(rhoOfGaussian(2), 1e-5));
    expect(epsilonOfSpends([central], 1e-5)).toBe(epsilonOf(rhoOfGaussian(2), 1e-5));
    expect(epsilonOfSpends([central], 1e-5, 'replaced')).toBe(epsilonOf(rhoOfGaussian(1), 1e-5));
    expect(epsilonOfSpends([local], 1e-5, 'zeroed')).toBe(epsilonOf(rhoOfGaussian(4), 1e-5));
  });

  it('adds up releases of different noise', () => {
    const other: PrivacySpend = { form: 'local', noiseMultiplier: 10 };
    expect(epsilonOfSpends([local, other, other], 1e-6)).toBe(epsilonOf(rhoOfGaussian(2) + 2 * rhoOfGaussian(5), 1e-6));
    expect(epsilonOfSpends([], 1e-6)).toBe(0);
  });

  it('tells what a budget still allows', () => {
    const budget = { epsilon: 10, delta: 1e-5 };
    const left = releasesLeft([local, local], local, budget);
    expect(left).toBeGreaterThan(5);
    const all = Array.from({ length: left + 2 }, () => local);
    expect(epsilonOfSpends(all, 1e-5)).toBeLessThanOrEqual(10);
    expect(epsilonOfSpends([...all, local], 1e-5)).toBeGreaterThan(10);
    expect(releasesLeft(all, local, budget)).toBe(0);
  });
});
