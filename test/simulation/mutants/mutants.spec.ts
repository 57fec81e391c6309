import { checkedWorld, PromiseBroken } from '../checkers/check-world.js';
import { calmSite, calmWorld, simulatedCampaign, withFrozenAdversary } from '../world/calm-world.js';
import type { WorldPlan } from '../world/world-plan.js';
import { MUTANTS } from './mutants.js';

/** One of so many worlds must be rough enough to show the bug. */
const WORLDS = 12;

/** A small world with a slow site, a bad line and processes that die or do not, in turn with buffered rounds, without, and with adversary rounds. */
function tellingWorld(seed: number): WorldPlan {
  const quality = { latencyMs: [5, 5_000], lost: 0.05, doubled: 0.1 } as const;
  const slow = { stepMs: 20_000, dies: 0, diverges: 0, spoils: 0 };
  const sites = [
    calmSite('a', { quality }),
    calmSite('b', { temper: slow }),
    calmSite('c', { quality }),
    calmSite('d', { cuts: [{ fromMs: 30_000, toMs: 150_000 }] }),
  ];
  const limits = { quorum: 2, grace: '5s', deadline: '3min', attempts: 3, requiredSites: ['d'] };
  const recipe = { name: seed % 2 === 0 ? 'fedavg' : 'fedbuff' };
  const parts = seed % 4 === 2 ? withFrozenAdversary(2) : {};
  const campaign = simulatedCampaign({ name: 'telling', rounds: 8, ...limits, recipe, ...parts });
  const acts = [{ atMs: 5_000, act: { kind: 'start', campaign } }] as const;
  return calmWorld({ seed: `mutant-${seed}`, sites, acts, deathsAtWrites: seed % 3 === 0 ? 0 : 0.01, resumes: 1 });
}

async function firstBroken(name: string): Promise<PromiseBroken | undefined> {
  for (let seed = 0; seed < WORLDS; seed++) {
    try {
      await checkedWorld({ ...tellingWorld(seed), mutation: MUTANTS[name]?.mutation });
    } catch (thrown) {
      if (thrown instanceof PromiseBroken) return thrown;
      throw thrown;
    }
  }
  return undefined;
}

it('the world that shows the bugs is sound without them', async () => {
  for (let seed = 0; seed < WORLDS; seed++) await checkedWorld(tellingWorld(seed));
}, 60_000);

describe('the checkers catch a coordinator that', () => {
  it.each(Object.keys(MUTANTS))(
    '%s',
    async (name) => {
      const broken = await firstBroken(name);
      expect(broken?.promise).toMatch(MUTANTS[name]?.breaks as RegExp);
      expect(broken?.message).toMatch(/replay: CONSILIUM_SIMULATION_SEED=mutant-\d+ npm run jest -- test\/simulation/);
    },
    60_000,
  );
});
