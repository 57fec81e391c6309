import { checkedWorld } from '../checkers/check-world.js';
import { calmSite, calmWorld, simulatedCampaign } from '../world/calm-world.js';
import { countedIn, partsOf, roundsOf } from './read-world.js';

describe('a site whose updates are no good', () => {
  it('is quarantined by name and reason in every round, and the rounds go on', async () => {
    const campaign = simulatedCampaign({ name: 'tiny', rounds: 6, quorum: 3, deadline: '30min' });
    const temper = { stepMs: 1_000, dies: 0, diverges: 0, spoils: 1 };
    const sites = [...['a', 'b', 'c'].map((name) => calmSite(name)), calmSite('bad', { temper })];
    const world = await checkedWorld(calmWorld({ sites, acts: [{ atMs: 5_000, act: { kind: 'start', campaign } }] }));
    expect(roundsOf(world).map(({ state }) => state)).toEqual(Array(6).fill('finished'));
    expect(countedIn(world).map((names) => [...names].sort())).toEqual(Array(6).fill(['a', 'b', 'c']));
    const ends = partsOf(world, 'bad');
    expect(ends.map(({ state }) => state)).toEqual(Array(6).fill('quarantined'));
    const codes = new Set(ends.map(({ code }) => code));
    expect([...codes].sort()).toEqual(['UPDATE_NORM_FAR', 'UPDATE_NOT_FINITE']);
  });

  it('and chunks that are altered on their way are sent anew, and count once', async () => {
    const campaign = simulatedCampaign({ name: 'tiny', rounds: 4, quorum: 2, deadline: '30min' });
    const sites = [calmSite('a', { altered: 0.2 }), calmSite('b')];
    const world = await checkedWorld(calmWorld({ sites, acts: [{ atMs: 5_000, act: { kind: 'start', campaign } }] }));
    expect(countedIn(world).map((names) => [...names].sort())).toEqual(Array(4).fill(['a', 'b']));
  });
});
