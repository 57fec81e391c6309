import { checkedWorld } from '../checkers/check-world.js';
import { calmSite, calmWorld, simulatedCampaign } from '../world/calm-world.js';
import type { World } from '../world/world.js';
import { finalDigest, partsOf, roundsOf } from './read-world.js';

const HOUR_MS = 3_600_000;

function run(skews: { coordinator?: number; site?: number }): Promise<World> {
  const campaign = simulatedCampaign({ name: 'tiny', rounds: 3, quorum: 2, grace: '20s', deadline: '10min' });
  const slow = { stepMs: 4_000, dies: 0, diverges: 0, spoils: 0 };
  const sites = [calmSite('a', { skewMs: skews.site ?? 0 }), calmSite('b'), calmSite('c', { temper: slow })];
  const acts = [{ atMs: 5_000, act: { kind: 'start', campaign } }] as const;
  return checkedWorld(calmWorld({ sites, acts, coordinatorSkewMs: skews.coordinator ?? 0 }));
}

describe('a clock that is wrong by one hour', () => {
  it.each([
    ['of a site, ahead', { site: HOUR_MS }],
    ['of a site, behind', { site: -HOUR_MS }],
    ['of the coordinator, ahead', { coordinator: HOUR_MS }],
    ['of the coordinator, behind', { coordinator: -HOUR_MS }],
    ['of both, apart by two hours', { site: HOUR_MS, coordinator: -HOUR_MS }],
  ])('%s, changes nothing', async (_name, skews) => {
    const right = await run({});
    const wrong = await run(skews);
    expect(finalDigest(wrong)).toBe(finalDigest(right));
    expect(wrong.schedule.elapsedMs).toBe(right.schedule.elapsedMs);
    const durations = (world: World) => roundsOf(world).map(({ startedAtMs, finishedAtMs }) => (finishedAtMs ?? 0) - startedAtMs);
    expect(durations(wrong)).toEqual(durations(right));
    expect(partsOf(wrong, 'a')).toEqual(partsOf(right, 'a'));
  });
});
