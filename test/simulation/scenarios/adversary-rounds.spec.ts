import { partOfRound } from '@consilium/shared/wire';
import { checkedWorld } from '../checkers/check-world.js';
import { calmSite, calmWorld, simulatedCampaign, withFrozenAdversary } from '../world/calm-world.js';
import { COORDINATOR, type PlannedDeath } from '../world/world-plan.js';
import type { World } from '../world/world.js';
import { countedIn, finalDigest, partsOf, roundsOf } from './read-world.js';

const campaign = simulatedCampaign({
  ...{ name: 'frozen', rounds: 7, quorum: 3, deadline: '2h' },
  ...withFrozenAdversary(2),
});
const acts = [{ atMs: 5_000, act: { kind: 'start', campaign } }] as const;

function run(plannedDeaths: readonly PlannedDeath[] = []): Promise<World> {
  return checkedWorld(calmWorld({ sites: ['a', 'b', 'c'].map((name) => calmSite(name)), acts, plannedDeaths }));
}

describe('a campaign with a frozen adversary', () => {
  it('moves representation and adversary in turn, one version each', async () => {
    const world = await run();
    const parts = roundsOf(world).map(({ number, state }) => `${state} ${partOfRound(campaign.objective, number)}`);
    expect(parts.map((part) => part.replace('finished ', '').charAt(0)).join('')).toBe('raaraar');
    expect(countedIn(world).map((names) => [...names].sort())).toEqual(Array(7).fill(['a', 'b', 'c']));
  });

  it('ends with the same weights when coordinator or site are killed at any write', async () => {
    const undisturbed = await run();
    const expected = finalDigest(undisturbed);
    for (const process of [COORDINATOR, 'b']) {
      const writes = undisturbed.writes.get(process) ?? 0;
      expect(writes).toBeGreaterThan(40);
      for (let write = 1; write <= writes; write += 3) {
        const world = await run([{ process, write, when: write % 2 === 0 ? 'dies-before' : 'dies-after' }]);
        expect(finalDigest(world)).toBe(expected);
      }
    }
  }, 300_000);

  it('screens updates of the representation and lets gradients count, however large', async () => {
    const temper = { stepMs: 1_000, dies: 0, diverges: 0, spoils: 1 };
    const sites = [...['a', 'b', 'c'].map((name) => calmSite(name)), calmSite('loud', { temper })];
    const longer = { ...campaign, rounds: 22 };
    const start = { atMs: 5_000, act: { kind: 'start', campaign: longer } } as const;
    const world = await checkedWorld(calmWorld({ sites, acts: [start] }));
    const outcomes = partsOf(world, 'loud').map(({ state, code }) => (state === 'quarantined' ? code : state));
    roundsOf(world).forEach(({ number }, index) => {
      const isGradient = partOfRound(campaign.objective, number) === 'adversary';
      expect(isGradient ? ['delivered', 'UPDATE_NOT_FINITE'] : ['UPDATE_NORM_FAR', 'UPDATE_NOT_FINITE']).toContain(
        outcomes[index],
      );
    });
    expect(outcomes).toContain('delivered');
  });
});
