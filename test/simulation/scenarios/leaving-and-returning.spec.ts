import { checkedWorld } from '../checkers/check-world.js';
import { calmSite, calmWorld, simulatedCampaign } from '../world/calm-world.js';
import type { OperatorAct } from '../world/world-plan.js';
import type { World } from '../world/world.js';
import { countedIn, partsOf } from './read-world.js';

const temper = { stepMs: 5_000, dies: 0, diverges: 0, spoils: 0 };

/** Site "leaver" trains for 12 seconds, the others for a minute; the campaign starts after 10 seconds. */
function run(...acts: OperatorAct[]): Promise<World> {
  const campaign = simulatedCampaign({ name: 'tiny', rounds: 3, quorum: 2, deadline: '30min' });
  const sites = [calmSite('b', { temper }), calmSite('c', { temper }), calmSite('leaver')];
  return checkedWorld(calmWorld({ sites, acts: [{ atMs: 10_000, act: { kind: 'start', campaign } }, ...acts] }));
}

const revoke = (atMs: number): OperatorAct => ({ atMs, act: { kind: 'revoke', siteName: 'leaver' } });
const rejoin = (atMs: number): OperatorAct => ({ atMs, act: { kind: 'rejoin', siteName: 'leaver' } });
const sorted = (world: World): string[][] => countedIn(world).map((names) => [...names].sort());

describe('a site that leaves the federation', () => {
  it('after delivering: its update still counts, and later rounds do without it', async () => {
    const world = await run(revoke(40_000));
    expect(sorted(world)).toEqual([
      ['b', 'c', 'leaver'],
      ['b', 'c'],
      ['b', 'c'],
    ]);
    expect(partsOf(world, 'leaver')).toEqual([{ state: 'delivered', code: null }]);
  });

  it('before delivering: its part ends with the reason, and the round goes on', async () => {
    const world = await run(revoke(15_000));
    expect(sorted(world)).toEqual(Array(3).fill(['b', 'c']));
    expect(partsOf(world, 'leaver')).toEqual([{ state: 'failed', code: 'CREDENTIAL_REFUSED' }]);
  });

  it('and joins again under its name: it takes part from the next round on, and nothing of it counts twice', async () => {
    const world = await run(revoke(15_000), rejoin(30_000));
    expect(sorted(world)).toEqual([
      ['b', 'c'],
      ['b', 'c', 'leaver'],
      ['b', 'c', 'leaver'],
    ]);
  });
});
