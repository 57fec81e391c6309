import { foldNumbers } from '../../../../test/fixtures/fold-numbers.js';

const base = { a: [10, 20, 30], b: [-1, 0] };

describe('fedavg', () => {
  it('adds the mean of the deltas weighted by patches, computed by hand', async () => {
    // a: (1×[4,0,8] + 3×[0,4,−8]) / 4 = [1, 3, −4]; b: (1×[1,1] + 3×[0,1]) / 4 = [0.25, 1].
    const updates = [
      { siteName: 'x', patches: 1, deltas: { a: [4, 0, 8], b: [1, 1] } },
      { siteName: 'y', patches: 3, deltas: { a: [0, 4, -8], b: [0, 1] } },
    ];
    const { next, state, outcome } = await foldNumbers({ base, updates, recipe: { name: 'fedavg' } });
    expect(next).toEqual({ a: [11, 23, 26], b: [-0.75, 1] });
    expect(state).toBeNull();
    expect(outcome).toMatchObject({ foldedSites: ['x', 'y'], leftOut: [], totalWeight: 4 });
  });

  it('caps the weight of a giant site when the plan says so', async () => {
    // Weights 1 and min(1000, 3) = 3.
    const updates = [
      { siteName: 'x', patches: 1, deltas: { a: [4, 0, 8], b: [1, 1] } },
      { siteName: 'y', patches: 1000, deltas: { a: [0, 4, -8], b: [0, 1] } },
    ];
    const { next } = await foldNumbers({ base, updates, recipe: { name: 'fedavg', maximumPatchesPerSite: 3 } });
    expect(next).toEqual({ a: [11, 23, 26], b: [-0.75, 1] });
  });

  it('sums in 64 bits: what 32 bits would lose is there', async () => {
    const updates = [2 ** 25, 1, -(2 ** 25)].map((value, index) => ({ siteName: `s${index}`, deltas: { a: [value] } }));
    const { next } = await foldNumbers({ base: { a: [0] }, updates, recipe: { name: 'fedavg' } });
    expect(next['a']).toEqual([Math.fround(1 / 3)]);
  });
});
