import { CENTRAL, LOCAL } from '../../../test/fixtures/make-privacy.js';
import { campaignPrivacy } from './campaign-privacy.js';

const updates = [
  { siteName: 'a', isFolded: true },
  { siteName: 'a', isFolded: false },
  { siteName: 'b', isFolded: true },
];

describe('what a campaign’s privacy has come to', () => {
  it('is nothing where the plan promises nothing', () => {
    expect(campaignPrivacy({ rounds: 3 }, ['a'], updates)).toBeUndefined();
  });

  it('counts every update in the local form, and versions in the central one; ε as dp-accounting says', () => {
    const local = campaignPrivacy({ privacy: LOCAL, rounds: 50 }, ['a', 'b', 'c'], updates);
    expect(local?.sites.map(({ releases }) => releases)).toEqual([2, 1, 0]);
    expect(local?.sites[1]?.epsilon).toBeCloseTo(2.165715659029443, 9); // noise of 4 clip norms, sensitivity of 2
    expect(local?.sites[2]?.epsilon).toBe(0);
    const central = campaignPrivacy({ privacy: CENTRAL, rounds: 50 }, ['a', 'b', 'c'], updates);
    expect(central?.sites.map(({ releases }) => releases)).toEqual([1, 1, 0]);
    expect([local?.neighbours, central?.neighbours]).toEqual(['replaced', 'zeroed']);
    for (const view of [local, central]) expect(view?.epsilonAtEnd).toBeCloseTo(22.019852327713252, 9);
  });
});
