import { checkedWorld } from '../checkers/check-world.js';
import { calmSite, calmWorld, simulatedCampaign } from '../world/calm-world.js';
import type { SitePlan } from '../world/world-plan.js';
import type { World } from '../world/world.js';
import { countedIn, partsOf, roundsOf } from './read-world.js';

const STEP_MS = 1_000;
const ROUND_STEPS = 12;

function run(sites: readonly SitePlan[], changes: Partial<Parameters<typeof simulatedCampaign>[0]>): Promise<World> {
  const campaign = simulatedCampaign({ name: 'tiny', rounds: 4, quorum: 3, grace: '10s', deadline: '1h', ...changes });
  return checkedWorld(calmWorld({ sites, acts: [{ atMs: 5_000, act: { kind: 'start', campaign } }] }));
}

const quick = ['a', 'b', 'c'].map((name) => calmSite(name));
const slow = calmSite('slow', { temper: { stepMs: 20 * STEP_MS, dies: 0, diverges: 0, spoils: 0 } });

function secondsOf(world: World): number[] {
  return roundsOf(world).map(({ startedAtMs, finishedAtMs }) => ((finishedAtMs ?? Infinity) - startedAtMs) / 1000);
}

describe('a site 20 times slower than the others', () => {
  it('does not hold the rounds up: they close at quorum and grace, its work there ends as late', async () => {
    const world = await run([...quick, slow], {});
    // Training, the grace, a tick, and what is sent and folded.
    for (const seconds of secondsOf(world)) expect(seconds).toBeLessThan(ROUND_STEPS + 10 + 20);
    expect(countedIn(world).map((names) => [...names].sort())).toEqual(Array(4).fill(['a', 'b', 'c']));
    expect(partsOf(world, 'slow')).toEqual(Array(4).fill({ state: 'late', code: 'ROUND_CLOSED' }));
  });

  it('counts in a later round where the recipe is buffered: it goes on with its work, and none of it is lost', async () => {
    const world = await run([...quick, slow], { rounds: 24, recipe: { name: 'fedbuff', maximumStaleness: 20 } });
    for (const seconds of secondsOf(world)) expect(seconds).toBeLessThan(ROUND_STEPS + 20);
    const rounds = countedIn(world).flatMap((names, index) => (names.includes('slow') ? [index + 1] : []));
    expect(rounds.length).toBeGreaterThan(0);
    expect(rounds[0]).toBeGreaterThan(5);
    expect(partsOf(world, 'slow')[0]).toEqual({ state: 'delivered', code: null });
  });
});

describe('a silent site', () => {
  it('is listed as late in each round, and the rounds go on without it', async () => {
    const silent = calmSite('silent', { startsAtMs: 1_000 * 3_600_000 });
    const world = await run([...quick, silent], {});
    for (const seconds of secondsOf(world)) expect(seconds).toBeLessThan(ROUND_STEPS + 10 + 20);
    expect(partsOf(world, 'silent')).toEqual(Array(4).fill({ state: 'late', code: 'ROUND_CLOSED' }));
  });

  it('that the campaign requires ends the round at its deadline, by name, and the campaign after its tries', async () => {
    const falls = calmSite('falls', { cuts: [{ fromMs: 6_000, toMs: 1_000 * 3_600_000 }] });
    const limits = { requiredSites: ['falls'], attempts: 2, deadline: '5min' };
    const world = await run([...quick, falls], limits);
    expect(roundsOf(world).map(({ number, state, code }) => [number, state, code])).toEqual(
      Array(2).fill([1, 'failed', 'REQUIRED_SITE_MISSING']),
    );
    for (const seconds of secondsOf(world)) expect(seconds).toBeLessThan(300 + 20);
    expect(world.campaigns()[0]).toMatchObject({ state: 'failed', code: 'REQUIRED_SITE_MISSING' });
  });
});

describe('a campaign that requires a site which is not connected', () => {
  it('is not started, and the operator is told which site it is', async () => {
    const world = await run([...quick, calmSite('away', { startsAtMs: 3_600_000 })], { requiredSites: ['away'] });
    expect(world.campaigns()).toEqual([]);
    expect(world.refusals[0]).toMatchObject({ code: 'CAMPAIGN_INVALID', details: { sites: 'away' } });
  });
});

describe('a connection that is reset right at start-up of 1 of 8 agents', () => {
  it('holds nobody up: the site joins as soon as it gets through', async () => {
    const others = Array.from({ length: 7 }, (_, index) => calmSite(`site-${index}`));
    const reset = calmSite('reset', { cuts: [{ fromMs: 0, toMs: 20_000 }] });
    const world = await run([...others, reset], { quorum: 7 });
    expect(roundsOf(world).map(({ state }) => state)).toEqual(Array(4).fill('finished'));
    expect(partsOf(world, 'reset').at(-1)?.state).toBe('delivered');
  });
});
