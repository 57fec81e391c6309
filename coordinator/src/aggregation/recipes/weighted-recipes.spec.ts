import { foldNumbers } from '../../../../test/fixtures/fold-numbers.js';

describe('fedprox', () => {
  it('averages like fedavg: its own part is at the sites', async () => {
    const updates = [
      { siteName: 'x', patches: 1, deltas: { w: [4] } },
      { siteName: 'y', patches: 9, deltas: { w: [0] } },
    ];
    // Weights 1 and min(9, 3) = 3.
    const { next } = await foldNumbers({
      base: { w: [1] },
      updates,
      recipe: { name: 'fedprox', mu: 0.1, maximumPatchesPerSite: 3 },
    });
    expect(next).toEqual({ w: [2] });
  });
});

describe('scaffold', () => {
  const updates = [
    { siteName: 'x', patches: 1, deltas: { w: [4, 0], 'control/w': [8, -8] } },
    { siteName: 'y', patches: 999, deltas: { w: [0, 8], 'control/w': [0, 4] } },
  ];
  const recipe = { name: 'scaffold', serverLearningRate: 0.5 } as const;

  it('moves the model by the plain mean of those that delivered, and the control by all sites of the campaign', async () => {
    const job = { sitesOfCampaign: 4 };
    const first = await foldNumbers({ base: { w: [1, 1] }, updates, recipe, job });
    // x = 1 + 0.5·[4, 8]/2 = [2, 3]; c = ([8, −8] + [0, 4])/4 = [2, −1].
    expect(first.next).toEqual({ w: [2, 3] });
    expect(first.state).toEqual({ 'control/w': [2, -1] });
    const second = await foldNumbers({ base: first.next, updates, recipe, job, state: first.state });
    expect(second.state).toEqual({ 'control/w': [4, -2] });
  });

  it('refuses an update that does not say how its control variate changed', async () => {
    const without = [{ siteName: 'x', deltas: { w: [4, 0] } }];
    await expect(foldNumbers({ base: { w: [1, 1] }, updates: without, recipe })).rejects.toMatchObject({
      code: 'WEIGHTS_MALFORMED',
    });
  });
});

describe('fedbuff', () => {
  const recipe = { name: 'fedbuff', serverLearningRate: 1, stalenessExponent: 0.5, maximumStaleness: 3 } as const;

  it('lets stale updates count for less, and does not make up for it', async () => {
    const updates = [
      { siteName: 'x', patches: 2, staleness: 0, deltas: { w: [6] } },
      { siteName: 'y', patches: 2, staleness: 3, deltas: { w: [8] } },
      { siteName: 'z', patches: 2, staleness: 0, deltas: { w: [2] } },
    ];
    // s(3) = 1/√4; (2·6 + 2·½·8 + 2·2) / (2 + 2 + 2) = 4.
    const { next, outcome } = await foldNumbers({ base: { w: [1] }, updates, recipe });
    expect(next).toEqual({ w: [5] });
    expect(outcome.totalWeight).toBe(5);
  });

  it('counts what one site delivered twice, the older first', async () => {
    const updates = [
      { siteName: 'x', patches: 1, staleness: 0, deltas: { w: [2] } },
      { siteName: 'x', patches: 1, staleness: 3, deltas: { w: [8] } },
    ];
    const { next, outcome } = await foldNumbers({ base: { w: [0] }, updates, recipe });
    expect(next).toEqual({ w: [3] });
    expect(outcome.foldedSites).toEqual(['x', 'x']);
  });

  it('leaves out what is older than the plan allows, and names it', async () => {
    const updates = [
      { siteName: 'x', patches: 2, staleness: 4, deltas: { w: [6] } },
      { siteName: 'y', patches: 2, staleness: 0, deltas: { w: [8] } },
    ];
    const { next, outcome } = await foldNumbers({ base: { w: [0] }, updates, recipe });
    expect(next).toEqual({ w: [8] });
    expect(outcome.leftOut).toEqual([{ siteName: 'x', code: 'UPDATE_BASE_STALE' }]);
    await expect(foldNumbers({ base: { w: [0] }, updates: updates.slice(0, 1), recipe })).rejects.toMatchObject({
      code: 'UPDATE_BASE_STALE',
    });
  });
});
