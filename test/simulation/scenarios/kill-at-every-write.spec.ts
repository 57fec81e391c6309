import { checkedWorld } from '../checkers/check-world.js';
import { calmSite, calmWorld, simulatedCampaign } from '../world/calm-world.js';
import { COORDINATOR, type PlannedDeath, type WorldPlan } from '../world/world-plan.js';
import type { World } from '../world/world.js';
import { countedIn, finalDigest } from './read-world.js';

const ROUNDS = 2;

/** Every site is needed in every round, so that the same work counts whoever dies; a round waits long enough for that. */
function plan(plannedDeaths: readonly PlannedDeath[], changes: Partial<WorldPlan> = {}): WorldPlan {
  const campaign = simulatedCampaign({ name: 'tiny', rounds: ROUNDS, quorum: 2, deadline: '2h' });
  const sites = [calmSite('a'), calmSite('b')];
  return calmWorld({ sites, acts: [{ atMs: 5_000, act: { kind: 'start', campaign } }], plannedDeaths, ...changes });
}

function expectSame(world: World, undisturbed: World): void {
  expect(finalDigest(world)).toBe(finalDigest(undisturbed));
  expect(countedIn(world).map((names) => [...names].sort())).toEqual(Array(ROUNDS).fill(['a', 'b']));
  expect(world.campaigns()[0]?.state).toBe('finished');
}

describe('kill -9 and start again', () => {
  it.each([COORDINATOR, 'a'])(
    'at every durable write of %s, before it and after it: the same final digest',
    async (process) => {
      const undisturbed = await checkedWorld(plan([]));
      const writes = undisturbed.writes.get(process) ?? 0;
      expect(writes).toBeGreaterThan(20);
      let deaths = 0;
      for (let write = 1; write <= writes; write++) {
        for (const when of ['dies-before', 'dies-after'] as const) {
          const world = await checkedWorld(plan([{ process, write, when }]));
          expectSame(world, undisturbed);
          deaths += world.deathsOf(process);
        }
      }
      expect(deaths).toBe(2 * writes);
    },
    120_000,
  );

  it('both ends, again and again, at writes drawn by chance: the same final digest', async () => {
    const undisturbed = await checkedWorld(plan([]));
    let deaths = 0;
    for (let seed = 0; seed < 25; seed++) {
      const world = await checkedWorld(plan([], { seed: `kills-${seed}`, deathsAtWrites: 0.04 }));
      expectSame(world, undisturbed);
      deaths += [COORDINATOR, 'a', 'b'].reduce((sum, process) => sum + world.deathsOf(process), 0);
    }
    expect(deaths).toBeGreaterThan(50);
  }, 120_000);

  it('the trainer, in the middle of its steps: the same final digest', async () => {
    const undisturbed = await checkedWorld(plan([]));
    const temper = { stepMs: 1_000, dies: 0.35, diverges: 0, spoils: 0 };
    const clumsy = [calmSite('a', { temper }), calmSite('b', { temper })];
    let extraSteps = 0;
    for (let seed = 0; seed < 15; seed++) {
      const world = await checkedWorld(plan([], { seed: `trainer-${seed}`, sites: clumsy }));
      // Three deaths in one round end a site's part in it: that is another history.
      if (world.campaigns()[0]?.state !== 'finished') continue;
      expectSame(world, undisturbed);
      for (const steps of world.computedSteps.values()) extraSteps += steps - 12;
    }
    expect(extraSteps).toBeGreaterThan(0);
  });
});
